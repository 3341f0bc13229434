"""Jobs that were cut short: Bedrock may write for a while after their end, and what it writes is paid for."""

import json
from dataclasses import replace

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from schemas.facts import FindingMade
from schemas.messages import CleanupBatch, CleanupChunk, IngestChunk, Sweep
from tests.stages.bedrock_answers import error, success
from tests.stages.simulation import Simulation
from tests.stages.test_late_output import tokens_billed, tokens_told

HOUR = 3600
CUT_SHORT = [JobStatus.STOPPED, JobStatus.EXPIRED]


def the_chunk(sim: Simulation, batch_id: str, number: int = 0) -> str:
    return layout.chunk_id(batch_id, number)


def state(sim: Simulation, chunk_id: str) -> ChunkState:
    chunk = sim.store.chunk(chunk_id)
    assert chunk is not None
    return chunk.state


def write_late(sim: Simulation, *record_ids: str) -> None:
    """Let Bedrock write answers beside the output of its only job."""
    (arn,) = sim.jobs.reports
    target = layout.parse_s3_uri(sim.jobs.requests[arn].output_uri).key + arn.rpartition("/")[2]
    lines = [json.dumps({"recordId": each, "modelInput": {}, **success(each)}) for each in record_ids]
    sim.objects.put(f"{target}/manifest2.jsonl.out", "\n".join(lines) + "\n")


def cut_short(sim: Simulation, status: JobStatus, *, output: bool = True) -> str:
    """Run a batch of two files, of which the job ends before the first is done; returns the batch."""
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.answers.plan("file-1:combined", None)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(status, output=output)
    return batch_id


@pytest.mark.parametrize("status", CUT_SHORT)
def test_folders_stay_for_an_hour_after_a_job_that_was_cut_short(sim: Simulation, status: JobStatus) -> None:
    cut_short(sim, status)
    before = sim.temporary_keys()
    sim.pass_time(HOUR - 1)
    sim.reconcile()
    assert sim.temporary_keys() == before
    assert not [message for message in sim.log if isinstance(message, CleanupChunk)]
    sim.pass_time(1)
    sim.reconcile()
    assert not sim.temporary_keys()


def test_a_cleaning_that_comes_too_early_changes_nothing_and_is_no_dead_letter(sim: Simulation) -> None:
    batch_id = cut_short(sim, JobStatus.STOPPED)
    before = sim.temporary_keys()
    for message in (
        CleanupChunk(chunk_id=the_chunk(sim, batch_id)),
        CleanupBatch(batch_id=batch_id),
        Sweep(older_than_days=0),
    ):
        sim.post(message)
        sim.run()
    assert sim.temporary_keys() == before
    assert not sim.dead


@pytest.mark.parametrize("status", CUT_SHORT)
def test_output_that_came_after_it_was_read_is_read_before_it_is_cleaned(
    sim: Simulation, status: JobStatus
) -> None:
    batch_id = cut_short(sim, status)
    assert sim.outcomes(batch_id)["1:combined"] == "MISSING"
    write_late(sim, "file-1:combined")
    sim.pass_time(HOUR)
    sim.reconcile()
    assert set(sim.outcomes(batch_id).values()) == {"SUCCEEDED"}
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.batch(batch_id).revision == 2
    assert state(sim, the_chunk(sim, batch_id)) is ChunkState.COMPLETED
    assert tokens_told(sim) == tokens_billed(sim, batch_id) == (2000, 200)
    assert not sim.temporary_keys()
    assert len(sim.jobs.created) == 1
    assert not sim.dead


def test_output_of_a_job_that_had_left_none_is_read_before_the_sweep_takes_it(sim: Simulation) -> None:
    batch_id = cut_short(sim, JobStatus.EXPIRED, output=False)
    assert state(sim, the_chunk(sim, batch_id)) is ChunkState.FAILED
    write_late(sim, "file-1:combined", "file-2:combined")
    sim.pass_time(8 * 24 * HOUR)
    sim.post(Sweep(older_than_days=7))
    sim.run()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.temporary_keys()


def test_an_answer_that_came_late_counts_where_the_attempt_after_it_brought_none(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=2)
    sim.answers.plan("file-1:combined", None, error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    (arn,) = sim.jobs.reports
    target = layout.parse_s3_uri(sim.jobs.requests[arn].output_uri).key + arn.rpartition("/")[2]
    sim.finish_jobs(JobStatus.EXPIRED)
    sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    late = json.dumps({"recordId": "file-1:combined", **success("file-1:combined")})
    sim.objects.put(f"{target}/manifest2.jsonl.out", late)
    sim.pass_time(HOUR)
    sim.reconcile()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_output_that_holds_nothing_new_opens_no_batch_again(sim: Simulation) -> None:
    batch_id = cut_short(sim, JobStatus.STOPPED)
    write_late(sim, "file-2:combined", "padding-0", "file-99:combined")
    sim.pass_time(HOUR)
    sim.reconcile()
    assert sim.batch(batch_id).revision == 1
    assert not sim.temporary_keys()


def test_answers_that_reading_again_does_not_store_are_found_and_not_deleted(sim: Simulation) -> None:
    batch_id = cut_short(sim, JobStatus.STOPPED)
    write_late(sim, "file-1:combined")
    name = sim.objects.keys(layout.OUTPUT_ROOT)[-1]
    late = sim.objects.read(name)

    def empty_for_the_reader(_: str) -> None:
        sim.objects.put(name, b"" if isinstance(sim.log[-1], IngestChunk) else late)

    sim.on_hold = empty_for_the_reader
    for _ in range(8):
        sim.pass_time(HOUR)
        sim.reconcile()
    assert sim.objects.read(name) == late
    assert sim.batch(batch_id).revision == 2
    assert {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)} == {"cleanup_failing"}
