"""What has lain long enough goes by itself: folders of failures, raw lines; results and originals never."""

from dataclasses import replace

from sqlalchemy import update

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import ChunkState, JobStatus
from daemon.adapters.tables import chunks, records
from schemas.facts import FindingMade, RawRemoved, Reconciled
from schemas.messages import CleanupChunk, RemoveRaw, Sweep
from tests.contracts.planting import NOW, plant
from tests.stages.simulation import Simulation

DAY = 86_400


def actions(sim: Simulation) -> dict[str, int]:
    told: dict[str, int] = {}
    for fact in sim.facts:
        if isinstance(fact, Reconciled):
            told[fact.action] = told.get(fact.action, 0) + fact.count
    return told


def failed(sim: Simulation) -> str:
    """Let a job fail without output; its input folder stays behind."""
    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="no access")
    assert sim.temporary_keys()
    return batch_id


def raw_keys(sim: Simulation, batch_id: str) -> list[str]:
    return sim.objects.keys(layout.raw_prefix(batch_id))


def ended(sim: Simulation, count: int) -> list[str]:
    """Put so many chunks into the store that failed long ago."""
    ids = plant(sim.store, "many", chunks=count, files=1)
    over = {"state": ChunkState.FAILED.value, "preparing_at": NOW, "finished_at": NOW}
    with sim.store.engine.begin() as connection:
        connection.execute(update(chunks).where(chunks.c.chunk_id.in_(ids)).values(over))
    return ids


def test_what_failed_is_swept_by_itself_once_it_is_old_enough(sim: Simulation) -> None:
    failed(sim)
    sim.pass_time(6 * DAY)
    sim.reconcile()
    assert sim.temporary_keys()
    sim.pass_time(2 * DAY)
    sim.reconcile(2)
    assert not sim.temporary_keys()
    assert actions(sim)["sweep_due"] == 1


def test_what_cannot_be_cleaned_is_swept_once_a_day_and_not_at_every_pass(sim: Simulation) -> None:
    failed(sim)
    sim.objects.undeletable = set(sim.temporary_keys())
    sim.pass_time(8 * DAY)
    for _ in range(48):
        sim.pass_time(DAY / 24)
        sim.reconcile()
    assert actions(sim)["sweep_due"] == 2


def test_nothing_old_no_sweep(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    sim.finish_all()
    sim.log.clear()
    for _ in range(3):
        sim.pass_time(10 * DAY)
        sim.reconcile()
    assert not [message for message in sim.log if isinstance(message, Sweep | RemoveRaw)]


def test_a_sweep_goes_on_behind_chunks_that_must_stay(sim: Simulation) -> None:
    ids = ended(sim, 250)
    unread = update(records).where(records.c.chunk_id.in_(ids[:120]))
    with sim.store.engine.begin() as connection:
        connection.execute(unread.values(outcome="MISSING", error_code="RESULT_FETCH_FAILED"))
    sim.post(Sweep(older_than_days=0))
    sim.now = NOW.replace(year=2027)
    sim.run()
    swept = [message.chunk_id for message in sim.log if isinstance(message, CleanupChunk)]
    assert sorted(swept) == ids[120:]


def test_raw_lines_go_after_their_time_and_the_results_stay(sim: Simulation) -> None:
    sim.objects.buckets["media"].versioned = True
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    raw, kept = raw_keys(sim, batch_id), set(sim.objects.keys())
    assert len(raw) == 2
    sim.pass_time(89 * DAY)
    sim.reconcile()
    assert raw_keys(sim, batch_id) == raw
    sim.pass_time(2 * DAY)
    sim.reconcile()
    assert not list(sim.objects.versions(layout.raw_prefix(batch_id)))
    assert set(sim.objects.keys()) == kept - set(raw)
    (told,) = [fact for fact in sim.facts if isinstance(fact, RawRemoved)]
    assert (told.batch_id, told.objects) == (batch_id, 2)
    assert actions(sim)["raw_due"] == 1
    sim.pass_time(2 * DAY)
    sim.reconcile()
    assert actions(sim)["raw_due"] == 1


def test_raw_lines_that_cannot_be_deleted_are_found_and_those_of_other_batches_go(sim: Simulation) -> None:
    batches = [sim.submit(sim.media(2, first=10 * n), f"r{n}", options={"reuse": "never"}) for n in range(3)]
    sim.finish_all()
    bad = sorted(batches)[0]
    sim.objects.fail_next("deletions", Denied("AccessDenied"), subject=layout.raw_prefix(bad), times=99)
    sim.post(RemoveRaw(older_than_days=1))
    sim.now = sim.now.replace(year=2027)
    sim.run()
    for _ in range(6):
        sim.pass_time(900)
    assert [bool(raw_keys(sim, each)) for each in sorted(batches)] == [True, False, False]
    (finding,) = [fact for fact in sim.facts if isinstance(fact, FindingMade)]
    assert (finding.kind, finding.subject) == ("raw_failing", bad)


def test_raw_lines_stay_while_output_of_their_batch_is_not_read(sim: Simulation) -> None:
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    output = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject=output, times=99)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(600)
    assert sim.batch(batch_id).finished_at is not None
    raw = raw_keys(sim, batch_id)
    assert len(raw) == 1
    sim.post(RemoveRaw(older_than_days=0))
    sim.now = sim.now.replace(year=2027)
    sim.run()
    assert raw_keys(sim, batch_id) == raw
