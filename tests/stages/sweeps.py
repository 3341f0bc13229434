"""Running a scenario again and again, with the process dying at another call each time."""

import re
from collections.abc import Callable, Sequence
from itertools import count

from tests.fakes.calls import OnCall
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Crash, Simulation

LEASE_THAT_RUNS_OUT_AT_ONCE = -1


def crash_everywhere(simulate: NewSimulation, scenario: Callable[[Simulation], object]) -> None:
    """Run a scenario in peace, then with a crash at the first and the last call of each kind.

    ``scenario`` returns what came of it, the same each time.
    """
    sim = simulate()
    calls: list[str] = []
    sim.on_call = calls.append
    expected = scenario(sim)
    for nth in telling(calls):
        sim = simulate(lease_seconds=LEASE_THAT_RUNS_OUT_AT_ONCE)
        sim.on_call = crash_at(nth)
        assert scenario(sim) == expected, f"after a crash at call {nth}: {calls[nth - 1]}"
        assert not sim.dead


def telling(calls: Sequence[str]) -> list[int]:
    """Return the numbers of the first and the last call of each kind, numbers in names left out."""
    kinds = [re.sub("[0-9]+", "", call) for call in calls]
    first = {kind: n for n, kind in reversed(list(enumerate(kinds, 1)))}
    last = {kind: n for n, kind in enumerate(kinds, 1)}
    return sorted({*first.values(), *last.values()})


def crash_at(nth: int) -> OnCall:
    """Die at the n-th call."""
    numbers = count(1)

    def on_call(call: str) -> None:
        if next(numbers) == nth:
            raise Crash(call)

    return on_call
