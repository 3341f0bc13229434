"""Each thing the reconciler does is counted under its own name, which the dashboards and alerts go by."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import BaseModel

from consumers.core.faults import PassingFault
from consumers.core.lifecycle import JobStatus
from schemas.facts import RECONCILE_ACTIONS, Reconciled
from schemas.job_events import JobStateChange
from schemas.messages import (
    CancelBatch,
    CleanupChunk,
    ForgetFile,
    IngestChunk,
    PlanBatch,
    RemoveRaw,
    RemoveResults,
    RemoveRows,
    ReparseBatch,
    SettleBatch,
    SubmitBatch,
    SubmitChunk,
    Sweep,
)
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation

DAY = 86_400
REQUEST = {"request_id": "r", "model": "nova-2-lite"}


def submit(sim: Simulation, *, without: type[BaseModel] | None = None) -> str:
    """Run one batch to its end, with every message of a type lost on the way; returns the batch id."""
    sim.post(SubmitBatch.model_validate({**REQUEST, "files": sim.media(2)}))
    batch_id = _run(sim, without)
    _end_jobs(sim)
    return _run(sim, without) or batch_id


def _run(sim: Simulation, without: type[BaseModel] | None) -> str:
    batch_id = ""
    while sim.queue:
        message = sim.queue.popleft()
        batch_id = getattr(message, "batch_id", batch_id)
        if without is None or not isinstance(message, without):
            sim.handle(message)
    return batch_id


def _end_jobs(sim: Simulation) -> None:
    for arn, report in list(sim.jobs.reports.items()):
        sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
        sim.jobs.finish(arn)
        sim.post(JobStateChange.hint(arn, report.name, JobStatus.COMPLETED))


def lose(message: type[BaseModel]) -> Callable[[Simulation], object]:
    return lambda sim: submit(sim, without=message)


def a_claim_whose_create_never_arrived(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    sim.submit(sim.media(2))


def a_claim_whose_answer_was_lost(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection reset"), lost_answer=True)
    sim.jobs.fail_next("find", PassingFault("connection reset"))
    sim.submit(sim.media(2))


def a_stop_that_did_not_arrive(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("stop", PassingFault("connection refused"))
    sim.handle(CancelBatch(batch_id=batch_id))


def a_death_while_copying(sim: Simulation) -> None:
    def die() -> None:
        raise Crash("in the middle of a copy")

    at_call(sim, "objects.copies", act=die)
    sim.lease_seconds = -1
    sim.post(SubmitBatch.model_validate({**REQUEST, "files": sim.media(2)}))
    with pytest.raises(Crash):
        _run(sim, None)


def a_failed_job_long_ago(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_attempts=1)
    sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="no access")
    sim.now = sim.now.replace(month=2)


def raw_lines_of_last_winter(sim: Simulation) -> None:
    submit(sim)
    sim.now = sim.now.replace(month=6)


def results_of_last_winter(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, result_retention_days=30)
    raw_lines_of_last_winter(sim)


def rows_of_last_winter(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, row_retention_days=60)
    submit(sim)
    sim.now = sim.now.replace(month=6)
    sim.post(RemoveResults(older_than_days=30))
    sim.run()


def a_death_while_reading_again(sim: Simulation) -> None:
    batch_id = submit(sim)
    _die_reading(ReparseBatch(batch_id=batch_id), sim)


def a_death_while_forgetting(sim: Simulation) -> None:
    batch_id = submit(sim)
    _die_reading(ForgetFile(batch_id=batch_id, position=0), sim)


def _die_reading(message: BaseModel, sim: Simulation) -> None:
    def die() -> None:
        raise Crash("in the middle of a pass")

    at_call(sim, "objects.lines", act=die)
    sim.lease_seconds = -1
    sim.post(message)
    with pytest.raises(Crash):
        _run(sim, None)


CAUSES: dict[str, tuple[Callable[[Simulation], object], type[BaseModel]]] = {
    "claim_without_job": (a_claim_whose_create_never_arrived, SubmitChunk),
    "job_adopted": (a_claim_whose_answer_was_lost, JobStateChange),
    "event_missed": (lose(JobStateChange), JobStateChange),
    "job_not_stopped": (a_stop_that_did_not_arrive, CancelBatch),
    "plan_stalled": (lose(PlanBatch), PlanBatch),
    "chunk_stalled": (a_death_while_copying, SubmitChunk),
    "not_ingested": (lose(IngestChunk), IngestChunk),
    "not_settled": (lose(SettleBatch), SettleBatch),
    "not_cleaned": (lose(CleanupChunk), CleanupChunk),
    "sweep_due": (a_failed_job_long_ago, Sweep),
    "raw_due": (raw_lines_of_last_winter, RemoveRaw),
    "results_due": (results_of_last_winter, RemoveResults),
    "rows_due": (rows_of_last_winter, RemoveRows),
    "chunk_not_woken": (lose(SubmitChunk), SubmitChunk),
    "reparse_stalled": (a_death_while_reading_again, ReparseBatch),
    "forget_stalled": (a_death_while_forgetting, ForgetFile),
}


def test_every_action_has_its_cause() -> None:
    assert set(CAUSES) == set(RECONCILE_ACTIONS)


@pytest.mark.parametrize("action", CAUSES)
def test_what_the_reconciler_makes_up_for_is_counted_under_its_own_name(sim: Simulation, action: str) -> None:
    happen, message = CAUSES[action]
    happen(sim)
    sim.later.clear()
    sim.queue.clear()
    sim.facts.clear()
    sim.log.clear()
    sim.reconcile()
    assert Reconciled(action, 1) in sim.facts
    assert any(isinstance(each, message) for each in sim.log)
