"""Any message twice, a crash after any call: the same rows, the same jobs, nothing bought twice."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState
from schemas.messages import Reconcile, RetryBatch
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation
from tests.stages.sweeps import (
    IN_FULL,
    LEASE_THAT_RUNS_OUT_AT_ONCE,
    beyond,
    crash_everywhere,
    effects,
    record,
    rows_of,
    strike_at,
    usual,
    usual_of_any_call,
)


def scenario(sim: Simulation) -> str:
    """Two chunks, one file missing, one record that fails once: a bit of everything."""
    sim.small_chunks(2)
    sim.answers.plan("file-2:combined", error(503))
    files = [*sim.media(3), {"file_id": 9, "s3_key": "gone.mov"}]
    return sim.submit(files)


def make(simulate: NewSimulation, lease_seconds: float) -> Simulation:
    return simulate(lease_seconds=lease_seconds)


def outcome(sim: Simulation) -> object:
    return what_came_of_it(sim, layout.batch_id("r")), rows_of(sim.store)


def what_came_of_it(sim: Simulation, batch_id: str) -> object:
    count = sim.store.count(batch_id)
    return (
        sim.batch(batch_id).state,
        sim.batch(batch_id).revision,
        sorted((line["file_id"], line["outcome"], line["attempt"]) for line in sim.results(batch_id)),
        count,
        sorted(request.name.rpartition("-")[0] for request in sim.jobs.created),
        dict(sim.answers.bought),
        sim.objects.keys(),
    )


def undisturbed(simulate: NewSimulation) -> tuple[object, list[str]]:
    """Run the scenario in peace; returns what came of it and the calls it took."""
    sim = simulate()
    calls = record(sim)
    batch_id = scenario(sim)
    sim.finish_all()
    return what_came_of_it(sim, batch_id), calls


@pytest.mark.parametrize("slice_", range(3))
def test_a_crash_after_any_single_call_ends_in_the_same_rows_and_jobs(
    simulate: NewSimulation, slice_: int
) -> None:
    def act(sim: Simulation) -> None:
        scenario(sim)
        sim.finish_all()

    def points(calls: Sequence[str]) -> list[int]:
        return usual(calls)[slice_::3]

    crash_everywhere(partial(make, simulate), act, outcome, points)


@pytest.mark.parametrize("slice_", range(2))
def test_a_passing_fault_at_any_kind_of_call_ends_in_the_same_rows_and_jobs(
    simulate: NewSimulation, slice_: int
) -> None:
    expected, calls = undisturbed(simulate)
    for nth in usual_of_any_call(calls)[slice_::2]:
        sim = make(simulate, LEASE_THAT_RUNS_OUT_AT_ONCE)
        sim.on_call = strike_at(nth, PassingFault)
        batch_id = scenario(sim)
        for _ in range(4):
            sim.finish_all()
            sim.pass_time(700)
            sim.post(Reconcile())
            sim.run()
        assert what_came_of_it(sim, batch_id) == expected, f"after a fault at call {nth}: {calls[nth - 1]}"


@pytest.mark.parametrize("times", [2, 3])
def test_every_message_delivered_again_changes_nothing(simulate: NewSimulation, times: int) -> None:
    expected, _ = undisturbed(simulate)
    sim = simulate()
    sim.deliveries = times
    batch_id = scenario(sim)
    sim.finish_all()
    assert what_came_of_it(sim, batch_id) == expected


def test_all_messages_again_after_the_end_change_nothing(simulate: NewSimulation) -> None:
    sim = simulate()
    batch_id = scenario(sim)
    sim.finish_all()
    before = what_came_of_it(sim, batch_id)
    facts = len(sim.facts)
    for message in list(sim.log):
        sim.post(message)
        sim.run()
    assert what_came_of_it(sim, batch_id) == before
    assert {fact.event for fact in sim.facts[facts:]} <= {"ignored"}
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS


def eventful(sim: Simulation) -> None:
    """A batch that meets everything at once, and is sent again by a person.

    One result is there already, one file comes from disk, one is gone and brought back, one answer fails once
    and one for good; a canary goes first, and budgets are kept.
    """
    sim.submit(sim.media(1), "before")
    sim.finish_all()
    sim.policy = replace(
        sim.policy, max_chunk_bytes=20, canary_chunks=1, min_success_ratio=0.5, budget_usd_per_day=Decimal(9)
    )
    files = sim.media(6)
    for file in files[2:4]:
        sim.objects.buckets["media"].pop(file["s3_key"])
    sim.local.files["clips/3.mov"] = b"media 3"
    files[2]["local_path"] = "clips/3.mov"
    sim.answers.plan("file-2:combined", error(503))
    sim.answers.plan("file-5:combined", *[error(400, "too long")] * 2)
    batch_id = sim.submit(files, budget_usd="5")
    sim.finish_all()
    sim.objects.put(files[3]["s3_key"], "media 4")
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.finish_all()


@pytest.mark.parametrize("depth", ["what the scenario lacks", pytest.param("everywhere", marks=IN_FULL)])
def test_a_crash_in_the_middle_of_an_eventful_batch_ends_in_the_same_rows_and_jobs(
    simulate: NewSimulation, depth: str
) -> None:
    points = effects if depth == "everywhere" else beyond(undisturbed(simulate)[1])
    crash_everywhere(partial(make, simulate), eventful, outcome, points)
