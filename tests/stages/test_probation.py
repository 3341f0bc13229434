"""A model proves itself by a job past validation; until then no more is risked than may fail in a row."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import BaseModel

from consumers.core.faults import Denied
from consumers.core.lifecycle import JOB_ENDS, BatchState, JobStatus
from schemas.facts import ModelPaused
from schemas.job_events import JobStateChange
from schemas.messages import CancelBatch, IngestChunk, SubmitChunk
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation

NOVA = "us.amazon.nova-2-lite-v1:0"
NO_ACCESS = "The provided role cannot access the S3 bucket"


def unproven(simulate: NewSimulation, files: int = 10, slots: int = 5) -> tuple[Simulation, str]:
    """As many chunks, of a file each, on a model that never ran a job."""
    sim = simulate(min_records=1, proven=False, slots=slots)
    sim.small_chunks(1)
    return sim, sim.submit(sim.media(files), analysis_types=["summary"])


def all_fail(sim: Simulation) -> None:
    """Let every job fail in its validation, for as long as jobs follow."""
    for _ in range(20):
        if not sim.finish_jobs(JobStatus.FAILED, output=False, message=NO_ACCESS):
            return
    raise AssertionError("jobs without end")


def see(sim: Simulation, status: JobStatus) -> None:
    """Let the first job come into a status, and tell of it."""
    arn, report = next(iter(sim.jobs.reports.items()))
    sim.jobs.move(arn, status)
    sim.post(JobStateChange.hint(arn, report.name, status))
    sim.run()


def test_a_missing_permission_costs_three_jobs_and_after_a_resume_three_more(simulate: NewSimulation) -> None:
    sim, batch_id = unproven(simulate, files=100, slots=20)
    all_fail(sim)
    sim.reconcile(passes=3)
    assert sim.jobs.calls.count("create") == 3
    [paused] = [fact for fact in sim.facts if isinstance(fact, ModelPaused)]
    assert paused.reason.startswith("3 chunks in a row failed as a whole")
    assert NO_ACCESS in paused.reason
    assert sim.store.resume(NOVA)
    sim.reconcile()
    all_fail(sim)
    assert sim.jobs.calls.count("create") == 6
    assert sim.batch(batch_id).state is BatchState.RUNNING


def test_jobs_that_bedrock_denies_are_three_too(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1, proven=False)
    sim.small_chunks(1)
    sim.jobs.fail_next("create", Denied("no iam:PassRole"), times=999)
    sim.submit(sim.media(20), analysis_types=["summary"])
    sim.reconcile(passes=3)
    assert sim.jobs.calls.count("create") == 3


def test_while_nobody_has_read_what_became_of_failed_jobs_no_other_is_risked(simulate: NewSimulation) -> None:
    sim, _ = unproven(simulate)
    sim.objects.calls.fail_next("list", Denied("no s3:ListBucket"), times=99)
    sim.finish_jobs(JobStatus.FAILED, output=False, message=NO_ACCESS)
    sim.reconcile(passes=3)
    assert sim.jobs.calls.count("create") == 3


@pytest.mark.parametrize("status", [JobStatus.SCHEDULED, JobStatus.IN_PROGRESS])
def test_the_first_job_past_validation_opens_all_slots_at_once(
    simulate: NewSimulation, status: JobStatus
) -> None:
    sim, _ = unproven(simulate)
    assert len(sim.jobs.created) == 3
    see(sim, JobStatus.VALIDATING)
    assert len(sim.jobs.created) == 3
    see(sim, status)
    assert len(sim.jobs.created) == 5


def test_a_job_that_completes_unseen_opens_all_slots_too(simulate: NewSimulation) -> None:
    sim, batch_id = unproven(simulate)
    sim.finish_jobs()
    assert len(sim.jobs.created) == 3 + 5
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_chunk_that_failed_as_a_whole_puts_a_proven_model_to_the_proof_again(
    simulate: NewSimulation,
) -> None:
    sim, _ = unproven(simulate, 20)
    see(sim, JobStatus.IN_PROGRESS)
    assert len(sim.jobs.created) == 5
    all_fail(sim)
    sim.reconcile()
    before = len(sim.jobs.created)
    assert sim.store.resume(NOVA)
    sim.reconcile()
    all_fail(sim)
    assert len(sim.jobs.created) == before + 3


def test_jobs_stopped_by_a_cancel_are_no_failures(simulate: NewSimulation) -> None:
    sim, batch_id = unproven(simulate, 5)
    see(sim, JobStatus.IN_PROGRESS)
    assert len(sim.jobs.created) == 5
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.finish_jobs(JobStatus.STOPPED, output=False)
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    other = sim.submit(sim.media(6, first=200), "other", analysis_types=["summary"])
    assert len(sim.jobs.created) == 5 + 5
    sim.finish_all()
    assert sim.batch(other).state is BatchState.COMPLETED


def test_the_proofs_that_stopped_jobs_owe_go_to_other_batches_at_once(simulate: NewSimulation) -> None:
    sim, batch_id = unproven(simulate)
    sim.submit(sim.media(3, first=50), "other", analysis_types=["summary"])
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.finish_jobs(JobStatus.STOPPED, output=False)
    assert len(sim.jobs.created) == 3 + 3


def burst(simulate: NewSimulation) -> tuple[Simulation, IngestChunk]:
    """Three slots and three stage places in use; two jobs Completed and one Failed together, all seen.

    Their output is not read yet. Returns the message that reads the failed one.
    """
    sim = simulate(min_records=1, slots=3)
    sim.policy = replace(sim.policy, max_files_per_chunk=1, stage_ahead=3)
    sim.submit(sim.media(12), analysis_types=["summary"])
    ends = [JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED]
    for (arn, request), status in zip(list(sim.jobs.requests.items()), ends, strict=True):
        if status is JobStatus.COMPLETED:
            sim.answers.write_output(sim.objects, request, arn)
        report = sim.jobs.finish(arn, status, NO_ACCESS)
        sim.handle(JobStateChange.hint(arn, report.name, status))
    return sim, [each for each in sim.queue if isinstance(each, IngestChunk)][-1]


def open_jobs(sim: Simulation) -> int:
    return sum(report.status not in JOB_ENDS for report in sim.jobs.reports.values())


ORDERS = ["FWWWCC", "CFWWWC", "WFCWCW", "WWWCFC", "CCFWWW"]
"""F reads what failed, C what completed, W tries to take a slot for a waiting chunk."""


def in_turn(queue: Sequence[BaseModel], failed: IngestChunk, order: str) -> deque[BaseModel]:
    """Put the messages of a burst into an order."""
    mine: dict[str, deque[BaseModel]] = {"F": deque(), "C": deque(), "W": deque()}
    for message in queue:
        mine["W" if isinstance(message, SubmitChunk) else "F" if message == failed else "C"].append(message)
    return deque(mine[letter].popleft() for letter in order)


@pytest.mark.parametrize("one_by_one", [False, True])
def test_in_whatever_order_the_news_of_a_burst_with_a_failure_is_handled_the_slots_fill_again(
    simulate: NewSimulation, one_by_one: bool
) -> None:
    for order in ORDERS:
        sim, failed = burst(simulate)
        messages = in_turn(sim.queue, failed, order)
        sim.queue.clear()
        for together in [[each] for each in messages] if one_by_one else [messages]:
            sim.queue.extend(together)
            sim.run()
        good_news_last = order.rindex("C") > order.index("F")
        assert open_jobs(sim) >= (3 if good_news_last else 2), order


def test_completed_jobs_that_nobody_has_read_hold_no_slot_against_the_proof(simulate: NewSimulation) -> None:
    sim, failed = burst(simulate)
    messages = [each for each in sim.queue if each == failed or isinstance(each, SubmitChunk)]
    sim.queue = deque(sorted(messages, key=lambda each: each != failed))
    sim.run()
    assert open_jobs(sim) == 2
