"""A cancel stops what runs, ends what has not started, keeps what is finished, whenever it comes."""

import json
from dataclasses import replace

import pytest

from consumers.core import layout
from consumers.core.faults import Denied, Missing, Throttled
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Leased
from consumers.core.world import Done, Later, Refuse
from daemon.adapters.tables import findings
from schemas.messages import CancelBatch, SettleBatch
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation


def cancel(sim: Simulation, batch_id: str) -> Done | Later | Refuse | None:
    """Deliver a cancel and everything that follows at once; returns the stage's answer."""
    outcome = sim.handle(CancelBatch(batch_id=batch_id))
    sim.run()
    return outcome


def jobs(sim: Simulation) -> list[JobStatus]:
    return [report.status for report in sim.jobs.reports.values()]


def found(sim: Simulation) -> dict[str, str]:
    """Return the findings with what they say."""
    with sim.store.database.read() as connection:
        return {row.kind: row.detail for row in connection.execute(findings.select())}


def running(sim: Simulation, count: int) -> str:
    """Submit a batch of so many jobs of one file each."""
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(count))
    assert len(sim.jobs.created) == count
    return batch_id


@pytest.mark.parametrize("name", [{"batch_id": "b" + "0" * 20}, {"request_id": "nobody"}])
def test_an_unknown_batch_is_refused_by_field_and_value(sim: Simulation, name: dict[str, str]) -> None:
    outcome = sim.handle(CancelBatch.model_validate(name))
    assert isinstance(outcome, Refuse)
    ((field, value),) = name.items()
    assert outcome.code == "unknown_batch"
    assert f'Field "{field}"' in outcome.why
    assert value in outcome.why
    assert "novabatch status" in outcome.why


def test_a_batch_that_has_ended_is_left_as_it_is(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    before = sim.batch(batch_id)
    outcome = cancel(sim, batch_id)
    assert isinstance(outcome, Done)
    assert outcome.then == ()
    assert sim.batch(batch_id) == before
    assert not sim.jobs.calls.count("stop")


def test_a_cancel_delivered_again_changes_nothing_and_sends_the_same(sim: Simulation) -> None:
    batch_id = running(sim, 2)
    first = sim.handle(CancelBatch(batch_id=batch_id))
    second = sim.handle(CancelBatch(batch_id=batch_id))
    assert first == second == Done(then=(SettleBatch(batch_id=batch_id),))
    sim.run()
    assert jobs(sim) == [JobStatus.STOPPING] * 2


def test_what_a_stopped_job_finished_is_kept_and_the_rest_says_why_not(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    cancel(sim, batch_id)
    sim.answers.plan("file-2:combined", None)
    sim.finish_jobs(JobStatus.STOPPED)
    lines = {line["file_id"]: line for line in sim.results(batch_id)}
    assert lines[1]["outcome"] == "SUCCEEDED"
    assert (lines[2]["outcome"], lines[2]["error"]["code"]) == ("MISSING", "JOB_STOPPED")
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}


def test_a_job_that_ends_while_it_is_being_stopped_is_kept_whole(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    at_call(sim, "jobs.stop", act=sim.finish_jobs)
    cancel(sim, batch_id)
    assert jobs(sim) == [JobStatus.COMPLETED]
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_job_that_cannot_be_stopped_now_holds_up_no_other_and_is_stopped_later(sim: Simulation) -> None:
    batch_id = running(sim, 3)
    sim.jobs.fail_next("stop", Throttled("slow down"), subject="000000001")
    assert isinstance(cancel(sim, batch_id), Later)
    assert jobs(sim) == [JobStatus.STOPPING, JobStatus.SUBMITTED, JobStatus.STOPPING]
    sim.pass_time(60)
    assert jobs(sim) == [JobStatus.STOPPING] * 3


def test_a_job_that_may_not_be_stopped_is_found_and_asked_for_again_until_it_may(sim: Simulation) -> None:
    batch_id = running(sim, 2)
    sim.jobs.fail_next("stop", Denied("no StopModelInvocationJob"), subject="000000000", times=2)
    assert isinstance(cancel(sim, batch_id), Done)
    assert found(sim) == {"job_not_stopped": "no StopModelInvocationJob"}
    assert jobs(sim) == [JobStatus.SUBMITTED, JobStatus.STOPPING]
    sim.reconcile()
    assert jobs(sim)[0] is JobStatus.SUBMITTED
    sim.reconcile()
    assert jobs(sim)[0] is JobStatus.STOPPING
    stops = sim.jobs.calls.count("stop")
    sim.reconcile()
    assert sim.jobs.calls.count("stop") == stops


def test_a_job_that_bedrock_does_not_know_is_found(sim: Simulation) -> None:
    batch_id = running(sim, 2)
    sim.jobs.fail_next("stop", Missing("no such job"), subject="000000000")
    assert isinstance(cancel(sim, batch_id), Done)
    assert found(sim) == {"job_unknown": "no such job"}
    assert jobs(sim)[1] is JobStatus.STOPPING


def test_a_cancel_between_a_claim_and_its_job_leaves_no_job_running(sim: Simulation) -> None:
    files = sim.media(2)
    batch_id = layout.batch_id("r")
    at_call(sim, "jobs.create", act=lambda: sim.handle(CancelBatch(batch_id=batch_id)))
    sim.submit(files)
    assert jobs(sim) == [JobStatus.STOPPING]
    sim.finish_jobs(JobStatus.STOPPED, output=False)
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_a_chunk_that_waits_for_a_slot_ends_at_once(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(3))
    states = [state for _, state in sim.store.chunk_ids(batch_id)]
    assert states == [ChunkState.SUBMITTED, ChunkState.READY, ChunkState.READY]
    sim.handle(CancelBatch(batch_id=batch_id))
    states = [state for _, state in sim.store.chunk_ids(batch_id)]
    assert states == [ChunkState.SUBMITTED, ChunkState.CANCELLED, ChunkState.CANCELLED]


def test_a_chunk_that_waits_for_money_ends_at_once(sim: Simulation) -> None:
    first = sim.submit(sim.media(2), "first")
    spent = sim.batch(first).committed_usd
    sim.policy = replace(sim.policy, budget_usd_per_day=spent * 3 / 2)
    batch_id = sim.submit(sim.media(2, first=3))
    assert len(sim.jobs.created) == 1
    cancel(sim, batch_id)
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    assert {line["outcome"] for line in sim.results(batch_id)} == {"CANCELLED"}


def test_a_chunk_that_is_being_copied_stops_between_two_files(sim: Simulation) -> None:
    files = sim.media(20)
    batch_id = layout.batch_id("r")
    at_call(sim, "copies", "Video, 3", act=lambda: sim.handle(CancelBatch(batch_id=batch_id)))
    sim.submit(files)
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    assert not sim.jobs.created
    assert {line["outcome"] for line in sim.results(batch_id)} == {"CANCELLED"}


# ── while a batch is planned ───────────────────────────────────────────────────────────────────


def test_a_list_half_read_is_read_no_further(sim: Simulation) -> None:
    files = [{"file_id": n, "s3_key": f"a/{n}.mov", "size_bytes": 1} for n in range(5000)]
    sim.objects.put("lists/a.jsonl", "\n".join(map(json.dumps, files)))
    batch_id = layout.batch_id("r")
    at_call(sim, "checkpoint", act=lambda: sim.handle(CancelBatch(batch_id=batch_id)))
    source = {"list": "s3://media/lists/a.jsonl"}
    sim.submit(None, files_from=source, options={"reuse": "never"})
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.CANCELLED
    assert "cancelled while it was planned" in batch.reason
    assert sim.store.count(batch_id).files == 1000
    assert not sim.store.chunk_ids(batch_id)
    assert not sim.jobs.created


def test_a_plan_that_nobody_is_at_work_on_is_ended_by_the_cancel_itself(sim: Simulation) -> None:
    sim.objects.fail_next("heads", Throttled("slow down"), times=5)
    batch_id = sim.submit(sim.media(2))
    sim.queue.clear()
    sim.later.clear()
    assert sim.batch(batch_id).state is BatchState.PLANNING
    cancel(sim, batch_id)
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_a_cancel_of_a_plan_that_another_is_at_work_on_is_left_to_it(sim: Simulation) -> None:
    sim.objects.fail_next("heads", Throttled("slow down"))
    batch_id = sim.submit(sim.media(2))
    held = sim.store.take(Leased.BATCH, batch_id, 60)
    assert held is not None
    cancel(sim, batch_id)
    assert (sim.batch(batch_id).state, sim.batch(batch_id).cancelled) == (BatchState.PLANNING, True)
    sim.store.release(held)
    sim.pass_time(60)
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_the_sender_of_a_cancelled_batch_hears_of_its_end(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    cancel(sim, batch_id)
    sim.finish_jobs(JobStatus.STOPPED, output=False)
    finished = sim.sent[-1]
    assert finished.name.value == "Batch Finished"
    assert (finished.detail["state"], finished.detail["counts"]["MISSING"]) == ("CANCELLED", 2)
