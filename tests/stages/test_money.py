"""Budgets: what a batch may cost is told first, and nothing is bought beyond what a batch or a day allows."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import BatchCount
from daemon.adapters.tables import batches
from schemas.events import Event, EventName
from schemas.facts import BuyingStopped
from schemas.job_events import JobStateChange
from schemas.messages import PlanBatch, RetryBatch, SubmitBatch
from schemas.models import load_models
from tests.stages.bedrock_answers import Line, error, success
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import START, Simulation
from tests.stages.sweeps import crash_everywhere

NOVA = "us.amazon.nova-2-lite-v1:0"


def one_by_one(simulate: NewSimulation, slots: int = 1, **settings: Any) -> Simulation:
    """A simulation with a file in each chunk and few slots."""
    sim = simulate(slots=slots, min_records=1, **settings)
    sim.small_chunks(1)
    return sim


def estimate(sim: Simulation, files: list[dict[str, Any]]) -> Decimal:
    """Return what a batch of these files may cost at most, as its sender is told."""
    sim.store.pause("*", "only the plan counts", sim.now)
    batch_id = sim.submit(files, "estimate")
    told = sim.store.estimate(batch_id)
    sim.store.cancel(batch_id, "the plan is known", sim.now)
    sim.store.resume("*")
    sim.sent.clear()
    assert told is not None
    return told


def events(sim: Simulation, name: EventName) -> list[Event]:
    return [event for event in sim.sent if event.name is name]


def states(sim: Simulation, batch_id: str) -> list[str]:
    return [state.value for _, state in sim.store.chunk_ids(batch_id)]


def dear(usd: Decimal) -> Line:
    """An answer that is dearer than anybody could foresee."""
    line = success("file-1:combined")
    line["modelOutput"]["usage"] = {"inputTokens": int(usd / Decimal("0.165e-6")) + 1, "outputTokens": 0}
    return line


def spent(counted: BatchCount) -> Decimal:
    costs = [part.cost_usd for part in (counted.spent, counted.padding, counted.superseded)]
    return sum((cost for cost in costs if cost is not None), Decimal(0))


# ── the estimate ───────────────────────────────────────────────────────────────────────────────


def test_the_sender_hears_what_a_batch_may_cost_and_when_it_should_end(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=2)
    files = [{**file, "context": {"duration_seconds": 100}} for file in sim.media(5)]
    batch_id = sim.submit(files)
    [accepted] = events(sim, EventName.BATCH_ACCEPTED)
    told = Decimal(accepted.detail["estimate_usd"])
    media = 5 * 100 * 288 * Decimal("0.165e-6")
    assert media < told < 5 * media
    assert accepted.detail["expected_end"] == "2026-01-05T11:00:00Z"
    sim.finish_all()
    assert spent(sim.store.count(batch_id)) <= told
    sim.sent.clear()
    sim.post(PlanBatch(batch_id=batch_id))
    sim.run()
    assert events(sim, EventName.BATCH_ACCEPTED)[0].detail == accepted.detail


def test_the_end_is_expected_behind_the_chunks_that_others_wait_for(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=2)
    sim.submit(sim.media(5))
    sim.submit(sim.media(2), "second")
    last = events(sim, EventName.BATCH_ACCEPTED)[-1]
    assert last.detail["expected_end"] == "2026-01-05T11:20:00Z"


def test_without_a_price_the_estimate_is_unknown_and_never_nought(sim: Simulation) -> None:
    no_price = '{"models": [{"id": "us.amazon.nova-2-lite-v1:0", "prices": []}]}'
    sim.models = load_models(no_price, min_records=2)
    batch_id = sim.submit(sim.media(2))
    assert events(sim, EventName.BATCH_ACCEPTED)[0].detail["estimate_usd"] is None
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


@pytest.mark.parametrize(("budget", "daily"), [("5", None), (None, Decimal(5)), ("5", Decimal(5))])
def test_a_budget_nobody_can_keep_is_refused_and_says_so(
    sim: Simulation, budget: str | None, daily: Decimal | None
) -> None:
    no_price = '{"models": [{"id": "us.amazon.nova-2-lite-v1:0", "prices": []}]}'
    sim.models = load_models(no_price, min_records=2)
    sim.policy = replace(sim.policy, budget_usd_per_day=daily)
    batch_id = sim.submit(sim.media(2), budget_usd=budget)
    [(_, refusal)] = sim.dead
    assert refusal.code == "unknown_price"
    assert NOVA in refusal.why
    assert "NOVABATCH_MODELS_FILE" in refusal.why
    assert ("budget_usd out" if budget else "NOVABATCH_BUDGET_USD_PER_DAY") in refusal.why
    assert sim.store.batch(batch_id) is None


# ── a batch's own budget ───────────────────────────────────────────────────────────────────────


def test_a_batch_whose_estimate_exceeds_its_budget_is_refused_before_anything_starts(
    simulate: NewSimulation,
) -> None:
    sim = one_by_one(simulate)
    files = sim.media(3)
    most = estimate(sim, files)
    budget = most - Decimal("0.000001")
    batch_id = sim.submit(files, budget_usd=str(budget))
    assert [event.name for event in sim.sent] == [EventName.BATCH_REFUSED, EventName.BATCH_FINISHED]
    refused, finished = (event.detail for event in sim.sent)
    assert refused["error_code"] == "budget_exceeded"
    assert all(str(figure) in refused["error_message"] for figure in (most, budget))
    assert "higher budget_usd" in refused["error_message"]
    assert (finished["state"], finished["counts"]["NOT_BOUGHT"]) == ("FAILED", 3)
    assert refused["error_message"] in finished["reason"]
    assert set(sim.outcomes(batch_id).values()) == {"NOT_BOUGHT"}
    assert not sim.objects.calls.count("copies")
    assert not sim.jobs.created
    assert [fact for fact in sim.facts if isinstance(fact, BuyingStopped)] == [
        BuyingStopped(batch_id, refused["error_message"])
    ]


def test_a_file_larger_than_its_sender_said_is_bought_only_within_the_budget(
    simulate: NewSimulation,
) -> None:
    sim = one_by_one(simulate)
    sim.objects.put("proxy_video/a.mov", "a", size=900_000_000)
    file = {"file_id": 1, "s3_key": "proxy_video/a.mov", "size_bytes": 1}
    batch_id = sim.submit([file], budget_usd="0.02", options={"reuse": "never"})
    assert not sim.jobs.requests
    assert sim.outcomes(batch_id) == {"1:combined": "NOT_BOUGHT"}
    assert "budget_usd of 0.02 USD" in sim.batch(batch_id).reason


def test_a_batch_whose_estimate_is_its_budget_is_bought(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    files = sim.media(3)
    batch_id = sim.submit(files, budget_usd=str(estimate(sim, files)))
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_chunks_that_a_budget_cannot_pay_are_not_bought_and_what_was_bought_is_kept(
    simulate: NewSimulation,
) -> None:
    sim = one_by_one(simulate)
    files = sim.media(4)
    most = estimate(sim, files)
    sim.answers.plan("file-1:combined", dear(most))
    sim.answers.plan("file-2:combined", error(503))
    batch_id = sim.submit(files, budget_usd=str(most))
    sim.finish_all()
    assert sim.outcomes(batch_id)["2:combined"] == "MODEL_ERROR"
    assert list(sim.outcomes(batch_id).values()).count("NOT_BOUGHT") == 2
    assert len(sim.jobs.created) == 2
    ended = sim.batch(batch_id)
    assert ended.state is BatchState.COMPLETED_WITH_ERRORS
    assert str(most) in ended.reason
    assert "new request_id with a higher budget_usd" in ended.reason


def test_a_chunk_waits_for_money_while_an_open_job_may_leave_some(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    files = sim.media(3)
    most = estimate(sim, files)
    sim.answers.plan("file-1:combined", dear(most / 2))
    batch_id = sim.submit(files, budget_usd=str(most))
    sim.finish_jobs()
    assert states(sim, batch_id) == ["COMPLETED", "SUBMITTED", "READY"]
    sim.reconcile()
    assert states(sim, batch_id) == ["COMPLETED", "SUBMITTED", "READY"]
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_batch_that_waits_for_money_keeps_nobody_waiting(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=2)
    files = sim.media(4)
    most = estimate(sim, files)
    sim.answers.plan("file-1:combined", dear(most / 2))
    poor = sim.submit(files, "poor", budget_usd=str(most), priority=9)
    other = sim.submit(sim.media(1, first=50), "other")
    first, second = sim.jobs.reports
    finish(sim, first)
    assert states(sim, poor) == ["COMPLETED", "SUBMITTED", "SUBMITTED", "READY"]
    finish(sim, second)
    assert states(sim, poor) == ["COMPLETED", "COMPLETED", "SUBMITTED", "READY"]
    assert states(sim, other) == ["SUBMITTED"]


def finish(sim: Simulation, arn: str) -> None:
    """End one job and tell of it."""
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    report = sim.jobs.finish(arn)
    sim.post(JobStateChange.hint(arn, report.name, report.status))
    sim.run()


def test_what_failed_is_sent_again_only_within_the_budget(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    files = sim.media(2)
    most = estimate(sim, files)
    sim.answers.plan("file-1:combined", dear(most))
    sim.answers.plan("file-2:combined", error(503))
    batch_id = sim.submit(files, budget_usd=str(most))
    sim.finish_all()
    assert len(sim.jobs.created) == 2
    assert sim.outcomes(batch_id)["1:summary"] == "SUCCEEDED"
    assert sim.outcomes(batch_id)["2:combined"] == "NOT_BOUGHT"


def test_a_job_is_priced_by_the_day_it_ended_on_however_late_it_is_read(sim: Simulation) -> None:
    names = ("input_per_million", "output_per_million")
    on_demand = ("on_demand_input_per_million", "on_demand_output_per_million")
    prices = [
        dict.fromkeys((*names, *on_demand), price) | {"since": since}
        for price, since in (("1", "2026-01-01"), ("9", "2026-01-06"))
    ]
    sim.models = load_models(json.dumps({"models": [{"id": NOVA, "prices": prices}]}), min_records=2)
    batch_id = sim.submit(sim.media(2))
    sim.events_arrive = False
    sim.finish_jobs()
    sim.pass_time(86_400)
    sim.reconcile()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.store.count(batch_id).spent.cost_usd == Decimal("0.0022")


# ── the day's budget ───────────────────────────────────────────────────────────────────────────


def test_what_the_day_cannot_pay_waits_until_midnight_utc(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=5)
    files = sim.media(5)
    each = estimate(sim, files) / 5
    sim.policy = replace(sim.policy, budget_usd_per_day=each * Decimal("2.5"))
    for number in range(1, 6):
        sim.answers.plan(f"file-{number}:combined", dear(each))
    batch_id = sim.submit(files)
    assert len(sim.jobs.created) == 2
    sim.finish_all()
    sim.reconcile()
    assert len(sim.jobs.created) == 2
    assert sim.batch(batch_id).state is BatchState.RUNNING
    sim.pass_time((datetime(2026, 1, 6, tzinfo=UTC) - START) / timedelta(seconds=1))
    sim.reconcile()
    assert len(sim.jobs.created) == 4
    sim.finish_all()
    sim.pass_time(86_400)
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.dead


def test_what_jobs_truly_cost_leaves_room_on_the_same_day(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=5)
    files = sim.media(5)
    sim.policy = replace(sim.policy, budget_usd_per_day=estimate(sim, files) * Decimal("0.3"))
    batch_id = sim.submit(files)
    assert len(sim.jobs.created) == 1
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_what_jobs_of_one_model_leave_of_a_day_goes_to_another_at_once(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=20)
    files = sim.media(3)
    sim.policy = replace(sim.policy, budget_usd_per_day=estimate(sim, files[:1]))
    sim.submit(files[1:2], "first")
    other = sim.submit(files[2:], "second", model="nova-lite")
    assert states(sim, other) == ["PLANNED"]
    sim.finish_jobs()
    assert states(sim, other) == ["SUBMITTED"]


def test_only_what_could_be_bought_now_is_staged(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    files = sim.media(5)
    sim.policy = replace(sim.policy, budget_usd_per_day=estimate(sim, files) / 5 * 3)
    batch_id = sim.submit(files)
    assert states(sim, batch_id) == ["SUBMITTED", "READY", "READY", "PLANNED", "PLANNED"]


def test_a_chunk_dearer_than_any_day_allows_is_not_waited_for(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    files = sim.media(1)
    sim.policy = replace(sim.policy, budget_usd_per_day=estimate(sim, files) / 2)
    batch_id = sim.submit(files)
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert "BUDGET_USD_PER_DAY" in sim.batch(batch_id).reason
    assert f"novabatch retry {batch_id}" in sim.batch(batch_id).reason
    sim.policy = replace(sim.policy, budget_usd_per_day=None)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


# ── at any moment ──────────────────────────────────────────────────────────────────────────────


def to_be_refused(simulate: NewSimulation, lease_seconds: float = 120) -> Simulation:
    """A batch whose estimate exceeds its budget is about to be posted."""
    sim = one_by_one(simulate, lease_seconds=lease_seconds)
    fields = {"request_id": "r", "model": "nova-2-lite", "files": sim.media(3), "budget_usd": "0.0001"}
    sim.post(SubmitBatch.model_validate(fields))
    return sim


def about_used_up(simulate: NewSimulation, lease_seconds: float = 120) -> Simulation:
    """Of three chunks the first took the whole budget, the second is about to end."""
    sim = one_by_one(simulate, lease_seconds=lease_seconds)
    sim.policy = replace(sim.policy, stage_ahead=1, cleanup_after_success=False)
    sim.answers.plan("file-1:combined", dear(Decimal(1)))
    sim.submit(sim.media(3), budget_usd="1")
    sim.finish_jobs()
    for arn in list(sim.jobs.reports)[1:]:
        sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
        report = sim.jobs.finish(arn)
        sim.post(JobStateChange.hint(arn, report.name, report.status))
    return sim


@pytest.mark.parametrize("story", [to_be_refused, about_used_up])
def test_a_crash_anywhere_on_the_way_to_a_stop_ends_in_the_same_rows(
    simulate: NewSimulation, story: Callable[..., Simulation]
) -> None:
    def outcome(sim: Simulation) -> object:
        for _ in range(2):
            sim.pass_time(100)
            sim.reconcile()
        ended = sim.batch(layout.batch_id("r"))
        told = {name: sim.sent[-1].detail[name] for name in ("state", "counts", "reason")}
        rows = (ended.state, ended.stopped, ended.committed_usd, states(sim, ended.batch_id))
        return rows, sim.outcomes(ended.batch_id), told

    crash_everywhere(partial(story, simulate), Simulation.run, outcome)


def test_a_stop_cut_short_is_carried_through_by_the_reconciler(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate)
    sim.policy = replace(sim.policy, stage_ahead=0)
    batch_id = sim.submit(sim.media(4))
    with sim.store.database.write() as connection:
        connection.execute(update(batches).values(stopped="no more money"))
    sim.reconcile()
    assert states(sim, batch_id) == ["SUBMITTED", "CANCELLED", "CANCELLED", "CANCELLED"]
    sim.finish_all()
    assert sim.batch(batch_id).reason.startswith("no more money")
    told = {line["error"]["message"] for line in sim.results(batch_id) if line["outcome"] == "NOT_BOUGHT"}
    assert told == {"no more money"}


def test_every_record_and_every_cent_is_accounted_for(simulate: NewSimulation) -> None:
    sim = one_by_one(simulate, slots=3)
    batch_id = sim.submit(sim.media(6))
    sim.finish_all()
    assert sim.batch(batch_id).committed_usd == spent(sim.store.count(batch_id))
    assert states(sim, batch_id) == [ChunkState.COMPLETED] * 6
