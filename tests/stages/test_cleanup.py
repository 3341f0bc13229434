"""Cleaning: the two temporary folders and nothing else, when the results are stored and not before."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import BatchState, JobStatus
from daemon.adapters.tables import findings
from schemas.facts import ChunkCleaned, FindingMade
from schemas.messages import CleanupBatch, CleanupChunk, Sweep
from tests.stages.simulation import Simulation


def keep_folders(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, cleanup_after_success=False)


def test_a_chunk_whose_results_are_not_stored_is_not_cleaned(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    before = sim.objects.keys()
    sim.post(CleanupChunk(chunk_id=layout.chunk_id(batch_id, 0)))
    sim.run()
    (_, refused) = sim.dead[-1]
    assert refused.code == "not_cleanable"
    assert sim.objects.keys() == before


def test_paid_output_that_could_not_be_read_yet_is_read_before_it_is_cleaned(sim: Simulation) -> None:
    sim.objects.fail_next("lines", PassingFault("broken pipe"), times=5)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(600)
    cleaning = CleanupChunk(chunk_id=layout.chunk_id(batch_id, 0))
    sim.post(cleaning)
    sim.run()
    assert sim.objects.keys(layout.OUTPUT_ROOT)
    sim.post(cleaning)
    sim.run()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.temporary_keys()
    assert not sim.dead


def test_cleaning_on_request_leaves_originals_results_and_other_folders(sim: Simulation) -> None:
    keep_folders(sim)
    strangers = ["nova_batch/job_old/a.mov", "nova/batch/output/flat.jsonl.out", "batch_input_1.jsonl"]
    for key in strangers:
        sim.objects.put(key, "x")
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    mine = [layout.folder_of(key) for key in sim.temporary_keys()]
    kept = {key for key, folder in zip(sim.temporary_keys(), mine, strict=True) if folder is None}
    others = set(sim.objects.keys("")) - set(sim.temporary_keys())
    sim.post(CleanupBatch(batch_id=batch_id))
    sim.run()
    assert set(sim.objects.keys("")) == others | kept
    assert kept == set(strangers[:2])


def test_a_dry_run_tells_what_would_go_and_deletes_nothing(sim: Simulation) -> None:
    keep_folders(sim)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    before = sim.objects.keys()
    sim.facts.clear()
    sim.post(CleanupBatch(batch_id=batch_id, dry_run=True))
    sim.run()
    (told,) = [fact for fact in sim.facts if isinstance(fact, ChunkCleaned)]
    assert told.dry_run
    assert told.objects == len(sim.temporary_keys()) == 5
    assert sim.objects.keys() == before


def test_the_sweep_takes_what_ended_long_ago_whatever_its_outcome(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="no access")
    assert sim.temporary_keys()
    sim.post(Sweep(older_than_days=7))
    sim.run()
    assert sim.temporary_keys()
    sim.pass_time(8 * 86_400)
    sim.post(Sweep(older_than_days=7))
    sim.run()
    assert not sim.temporary_keys()


def test_keys_that_stay_are_tried_again_and_then_found(sim: Simulation) -> None:
    sim.objects.fail_next("deletions", PassingFault("InternalError"), subject="manifest.jsonl", times=99)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    for _ in range(8):
        sim.pass_time(3600)
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    assert chunk.cleaned_at is None
    assert "manifest.jsonl" in chunk.last_error
    assert "cleanup_failing" in {getattr(fact, "kind", "") for fact in sim.facts}


def test_the_finding_is_forgotten_once_the_keys_are_gone(sim: Simulation) -> None:
    sim.objects.fail_next("deletions", PassingFault("InternalError"), subject="manifest.jsonl", times=16)
    sim.submit(sim.media(2))
    sim.finish_all()
    kinds = []
    for _ in range(12):
        sim.pass_time(3600)
        sim.reconcile()
        kinds.append(found(sim))
    assert {"cleanup_failing"} in kinds
    assert kinds[-1] == set()
    assert not sim.temporary_keys()


def found(sim: Simulation) -> set[str]:
    """Return the kinds of findings."""
    with sim.store.database.read() as connection:
        return set(connection.execute(select(findings.c.kind)).scalars())


def test_what_stays_although_its_deletion_was_answered_is_not_called_clean(sim: Simulation) -> None:
    keep_folders(sim)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    sim.objects.undeletable = {key for key in sim.temporary_keys() if key.endswith(".jsonl.out")}
    chunk_id = layout.chunk_id(batch_id, 0)
    sim.post(CleanupChunk(chunk_id=chunk_id))
    sim.run()
    chunk = sim.store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.cleaned_at is None
    assert "manifest.jsonl.out: still listed" in chunk.last_error
    assert not [fact for fact in sim.facts if isinstance(fact, ChunkCleaned)]
    sim.objects.undeletable = set()
    sim.pass_time(60)
    assert not sim.temporary_keys()


def test_a_denied_look_at_old_versions_is_a_finding_that_names_the_permission(sim: Simulation) -> None:
    denied = Denied("ListObjectVersions: AccessDenied: no (allow s3:ListBucketVersions)")
    sim.objects.fail_next("versions", denied, times=99)
    sim.submit(sim.media(2))
    sim.finish_all()
    for _ in range(8):
        sim.pass_time(3600)
    (finding,) = [fact for fact in sim.facts if isinstance(fact, FindingMade)]
    assert finding.kind == "cleanup_failing"
    assert "allow s3:ListBucketVersions" in finding.detail


@given(st.text(max_size=60))
def test_no_folder_name_but_our_own_can_be_emptied(folder: str) -> None:
    try:
        prefixes = layout.temporary_prefixes(folder)
    except ValueError:
        return
    assert layout.is_own_folder(folder)
    assert all(prefix.endswith(f"/{folder}/") for prefix in prefixes)
