"""Slots, claims and turns: who may create a job, under which name, and who is stopped."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from consumers.core import layout
from consumers.core.faults import (
    Denied,
    Missing,
    NameTaken,
    PassingFault,
    QuotaExceeded,
    Rejected,
    Throttled,
)
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.submit.lookout import FILES_BETWEEN
from schemas.facts import FindingMade, ReconcilerRan
from schemas.messages import CancelBatch, Reconcile, RetryBatch, SubmitChunk
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.lots import the_chunk
from tests.stages.moments import at_call, before_lease
from tests.stages.simulation import Crash, Simulation
from tests.stages.submit_desk import Desk
from tests.stages.sweeps import crash_everywhere

MANY = 10**6

REFUSED = [Denied("no iam:PassRole"), Rejected("model not supported")]
FULL = [QuotaExceeded("too many jobs"), Throttled("slow down")]


def statuses(sim: Simulation) -> list[JobStatus]:
    return [report.status for report in sim.jobs.reports.values()]


def lost(sim: Simulation, *, listed_after: float = 0) -> str:
    """Submit a batch whose job is created although nobody hears of it; List shows it only after a while."""
    sim.jobs.listed_after = timedelta(seconds=listed_after)
    sim.jobs.fail_next("create", PassingFault("connection reset"), lost_answer=True)
    sim.jobs.fail_next("find", PassingFault("connection reset"))
    batch_id = sim.submit(sim.media(2))
    assert [job.arn for job in sim.store.open_jobs()] == [None]
    return batch_id


def let_time_pass(sim: Simulation, steps: int, step: float = 60) -> None:
    """Let so many minutes go by, or longer steps, with a reconciler at work."""
    for _ in range(steps):
        sim.pass_time(step)
        sim.reconcile()


def test_a_job_claimed_under_an_old_prefix_is_found_under_it(sim: Simulation) -> None:
    batch_id = lost(sim)
    sim.policy = replace(sim.policy, job_name_prefix="other")
    sim.pass_time(100)
    sim.finish_all()
    assert [request.name.partition("-")[0] for request in sim.jobs.created] == ["novabatch"]
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_claim_of_a_cancelled_batch_creates_no_job(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    batch_id = sim.submit(sim.media(2))
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    let_time_pass(sim, 5)
    assert not sim.jobs.created
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_a_cancel_just_before_the_lease_is_taken_is_seen_under_it(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    batch_id = sim.submit(sim.media(2))
    cancel = CancelBatch(batch_id=batch_id)
    before_lease(sim, "chunk", act=lambda: sim.handle(cancel))
    let_time_pass(sim, 5)
    assert not sim.jobs.created
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_a_claim_whose_job_exists_after_all_is_stopped_when_its_batch_is_cancelled(sim: Simulation) -> None:
    batch_id = lost(sim)
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.pass_time(100)
    assert statuses(sim) == [JobStatus.STOPPING]
    assert not [job for job in sim.store.open_jobs() if job.arn is None]


@pytest.mark.parametrize("fault", [*REFUSED, *FULL])
@pytest.mark.parametrize("listed_after", [0, 90])
def test_a_claim_whose_job_exists_after_all_is_no_free_slot_whatever_the_next_create_is_told(
    sim: Simulation, fault: Exception, listed_after: float
) -> None:
    batch_id = lost(sim, listed_after=listed_after)
    sim.jobs.fail_next("create", fault, times=99)
    let_time_pass(sim, 10)
    assert [job.arn for job in sim.store.open_jobs()] == list(sim.jobs.reports)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1


def test_a_job_that_is_listed_late_is_stopped_when_its_batch_was_cancelled_meanwhile(sim: Simulation) -> None:
    batch_id = lost(sim, listed_after=90)
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    let_time_pass(sim, 10)
    assert statuses(sim) == [JobStatus.STOPPING]
    sim.finish_jobs(JobStatus.STOPPED, output=False)
    assert sim.batch(batch_id).state is BatchState.CANCELLED


@pytest.mark.parametrize("fault", REFUSED)
def test_a_claim_that_never_became_a_job_ends_with_the_reason_once_that_is_certain(
    sim: Simulation, fault: Exception
) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("create", fault, times=99)
    let_time_pass(sim, 10)
    assert {line["error"]["code"] for line in sim.results(batch_id)} == {"JOB_FAILED"}
    assert str(fault) in sim.results(batch_id)[0]["error"]["message"]
    assert not sim.store.open_jobs()


def test_a_claim_that_never_became_a_job_is_given_back_for_want_of_quota_once_that_is_certain(
    sim: Simulation,
) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("create", QuotaExceeded("full"), times=4)
    let_time_pass(sim, 5)
    assert not sim.store.open_jobs()
    let_time_pass(sim, 10)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_process_that_dies_in_a_late_create_leaves_a_claim_that_is_not_believed_to_be_empty(
    simulate: NewSimulation,
) -> None:
    """The certainty of the look before it is worth nothing any more: the create may have come through."""
    sim = simulate(lease_seconds=-1)
    sim.jobs.listed_after = timedelta(seconds=90)
    sim.jobs.fail_next("create", PassingFault("connection refused"), times=4)
    batch_id = sim.submit(sim.media(2))

    def die() -> None:
        sim.jobs.fail_next("create", Denied("no iam:PassRole"), times=99)
        raise Crash("before its answer was heard")

    at_call(sim, "jobs.create", "done", act=die)
    let_time_pass(sim, 20)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1


def test_a_job_that_nobody_finds_for_hours_costs_no_message_its_receives(sim: Simulation) -> None:
    lost(sim, listed_after=5 * 3600)
    sim.jobs.fail_next("create", NameTaken("currently in use"), times=MANY)
    waited = 0
    for _ in range(28):
        let_time_pass(sim, 1, step=600)
        waited = max(waited, len(sim.later))
    assert waited <= 1
    assert sim.jobs.calls.count("create") <= 15
    assert "create_failing" in {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)}
    assert [job.arn for job in sim.store.open_jobs()] == [None]
    let_time_pass(sim, 3, step=600)
    assert [job.arn for job in sim.store.open_jobs()] == list(sim.jobs.reports)


@pytest.mark.parametrize(
    ("call", "fault"),
    [("create", NameTaken("currently in use")), ("find", Denied("no ListModelInvocationJobs"))],
)
def test_a_message_about_a_claim_that_cannot_be_settled_is_received_a_few_times_only(
    sim: Simulation, call: str, fault: Exception
) -> None:
    desk = Desk(sim)
    lost(sim, listed_after=5 * 3600)
    sim.jobs.fail_next(call, fault, times=MANY)
    sim.later.clear()
    desk.mailbox.post(SubmitChunk(chunk_id=the_chunk(sim).chunk_id).model_dump_json())
    for _ in range(24):
        sim.now += timedelta(minutes=5)
        desk.clock.advance(300)
        desk.take()
    assert len(desk.mailbox.deliveries) <= 5
    assert not desk.mailbox.dead


def test_a_job_created_while_its_batch_is_cancelled_is_stopped_at_once(sim: Simulation) -> None:
    cancel = CancelBatch(request_id="r")
    at_call(sim, "jobs.create", "done", act=lambda: sim.handle(cancel))
    sim.submit(sim.media(2))
    assert statuses(sim) == [JobStatus.STOPPING]


def test_a_stop_that_did_not_reach_its_job_is_sent_again(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("stop", Missing("no such job yet"))
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    assert not sim.dead
    assert statuses(sim) == [JobStatus.SUBMITTED]
    sim.reconcile()
    assert statuses(sim) == [JobStatus.STOPPING]


@pytest.mark.parametrize("moment", ["before the create", "done"])
def test_the_reconciler_leaves_a_claim_to_whoever_is_creating_its_job(sim: Simulation, moment: str) -> None:
    words = ["jobs.create", *(["done"] if moment == "done" else [])]
    at_call(sim, *words, act=lambda: sim.handle(Reconcile()))
    sim.submit(sim.media(2))
    passes = [fact for fact in sim.facts if isinstance(fact, ReconcilerRan)]
    assert passes == [ReconcilerRan(0)]
    assert len(sim.jobs.created) == 1


def test_a_chunk_ready_for_over_a_day_is_looked_at_again_before_it_is_paid_for(
    simulate: NewSimulation,
) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 1))
    assert chunk is not None
    assert chunk.state is ChunkState.READY
    copies = sim.objects.keys(layout.input_prefix(chunk.folder) + "files/")
    for key in copies:
        sim.objects.buckets["media"].pop(key)
    sim.pass_time(25 * 3600)
    sim.finish_jobs()
    assert len(sim.jobs.created) == 2
    assert sim.objects.keys(layout.input_prefix(chunk.folder) + "files/") == copies


def test_the_places_of_a_cancelled_batch_go_to_others(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.policy = replace(sim.policy, stage_ahead=1)
    sim.small_chunks(1)
    first = sim.submit(sim.media(3), "first")
    other = sim.submit(sim.media(1, first=50), "other")
    assert [state for _, state in sim.store.chunk_ids(other)] == [ChunkState.PLANNED]
    sim.post(CancelBatch(batch_id=first))
    sim.run()
    assert [state for _, state in sim.store.chunk_ids(other)] == [ChunkState.READY]


def test_the_retry_of_an_old_batch_does_not_pass_a_batch_of_higher_priority(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.policy = replace(sim.policy, stage_ahead=0)
    sim.small_chunks(1)
    sim.answers.plan("file-1:combined", error(400, "no"))
    old = sim.submit(sim.media(1), "old")
    sim.finish_all()
    sim.pass_time(30 * 86_400)
    new = sim.submit(sim.media(2, first=10), "new", priority=500)
    sim.post(RetryBatch(batch_id=old))
    sim.run()
    sim.finish_all()
    assert [request.name.split("-")[1] for request in sim.jobs.created] == [
        batch_id[1:7] for batch_id in (old, new, new, old)
    ]


def cancelled_half_way(simulate: NewSimulation, lease_seconds: float = 120) -> Simulation:
    """One chunk has its job, one is READY, one is PLANNED; then the batch is cancelled."""
    sim = simulate(slots=1, min_records=1, lease_seconds=lease_seconds)
    sim.policy = replace(sim.policy, stage_ahead=1)
    sim.small_chunks(1)
    sim.post(CancelBatch(batch_id=sim.submit(sim.media(3))))
    return sim


def test_a_crash_anywhere_in_a_cancel_ends_in_the_same_rows(simulate: NewSimulation) -> None:
    def outcome(sim: Simulation) -> object:
        for _ in range(2):
            sim.finish_all()
            sim.pass_time(100)
            sim.reconcile()
        batch_id = layout.batch_id("r")
        return sim.batch(batch_id).state, sim.outcomes(batch_id), sim.store.count(batch_id), statuses(sim)

    crash_everywhere(partial(cancelled_half_way, simulate), Simulation.run, outcome)


def test_a_cancel_is_noticed_between_two_files(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1)
    at_call(sim, "objects.copies", "done", act=lambda: sim.handle(CancelBatch(request_id="r")))
    batch_id = sim.submit(sim.media(100))
    assert sim.objects.calls.count("copies") <= FILES_BETWEEN
    assert not sim.jobs.created
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_an_end_of_ours_lets_one_chunk_probe_before_a_block_is_over(simulate: NewSimulation) -> None:
    sim = simulate(slots=3, min_records=1)
    sim.small_chunks(1)
    sim.jobs.foreign = 1
    sim.submit(sim.media(9))
    for _ in range(20):
        sim.pass_time(60)
        sim.reconcile()
    assert len(sim.jobs.created) == 2
    for bought in (4, 6, 8):
        sim.finish_jobs()
        assert len(sim.jobs.created) == bought
    assert not sim.dead
