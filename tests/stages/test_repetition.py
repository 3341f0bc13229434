"""Any message twice, a crash after any call: the same rows, the same jobs, nothing bought twice."""

import re
from collections.abc import Callable

import pytest

from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState
from schemas.messages import Reconcile
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Crash, Simulation

LEASE_THAT_RUNS_OUT_AT_ONCE = -1


def scenario(sim: Simulation) -> str:
    """Two chunks, one file missing, one record that fails once: a bit of everything."""
    sim.small_chunks(2)
    sim.answers.plan("file-2:combined", error(503))
    files = [*sim.media(3), {"file_id": 9, "s3_key": "gone.mov"}]
    return sim.submit(files)


def what_came_of_it(sim: Simulation, batch_id: str) -> object:
    count = sim.store.count(batch_id)
    return (
        sim.batch(batch_id).state,
        sim.batch(batch_id).revision,
        sorted((line["file_id"], line["outcome"], line["attempt"]) for line in sim.results(batch_id)),
        count,
        sorted(request.name for request in sim.jobs.created),
        dict(sim.answers.bought),
        sim.objects.keys(),
    )


def undisturbed(simulate: NewSimulation) -> tuple[object, list[str]]:
    """Run the scenario in peace; returns what came of it and the calls it took."""
    sim = simulate()
    calls: list[str] = []
    sim.on_call = calls.append
    batch_id = scenario(sim)
    sim.finish_all()
    result = what_came_of_it(sim, batch_id)
    return result, calls


def telling(calls: list[str]) -> list[int]:
    """Return the numbers of the first and the last call of each kind, what it is about left out."""
    kinds = [tuple(re.sub("[0-9]+", "", call).rsplit("/", 1)) for call in calls]
    first = {kind: n for n, kind in reversed(list(enumerate(kinds, 1)))}
    last = {kind: n for n, kind in enumerate(kinds, 1)}
    return sorted({*first.values(), *last.values()})


def strike(nth: int, how: type[BaseException]) -> tuple[Callable[[str], None], list[str]]:
    struck: list[str] = []
    seen = 0

    def on_call(call: str) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            struck.append(call)
            raise how(f"at call {nth}: {call}")

    return on_call, struck


@pytest.mark.parametrize("slice_", range(4))
def test_a_crash_after_any_single_call_ends_in_the_same_rows_and_jobs(
    simulate: NewSimulation, slice_: int
) -> None:
    expected, calls = undisturbed(simulate)
    for nth in range(1 + slice_, len(calls) + 1, 4):
        sim = simulate(lease_seconds=LEASE_THAT_RUNS_OUT_AT_ONCE)
        sim.on_call, struck = strike(nth, Crash)
        batch_id = scenario(sim)
        sim.finish_all()
        assert what_came_of_it(sim, batch_id) == expected, f"after a crash at {struck}"
        assert not sim.dead


@pytest.mark.parametrize("slice_", range(2))
def test_a_passing_fault_at_any_kind_of_call_ends_in_the_same_rows_and_jobs(
    simulate: NewSimulation, slice_: int
) -> None:
    expected, calls = undisturbed(simulate)
    for nth in telling(calls)[slice_::2]:
        sim = simulate()
        sim.on_call, struck = strike(nth, PassingFault)
        batch_id = scenario(sim)
        for _ in range(4):
            sim.finish_all()
            sim.pass_time(700)
            sim.post(Reconcile())
            sim.run()
        assert what_came_of_it(sim, batch_id) == expected, f"after a fault at {struck}"


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
