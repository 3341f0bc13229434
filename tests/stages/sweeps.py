"""Running a scenario again and again, with the process dying at another moment each time.

What lies outside the process changes only when a call takes effect, so a crash between two such calls leaves
the same behind wherever it strikes: one crash after each effect stands for all. Without
NOVABATCH_TEST_SWEEPS=all only the first effect of each kind and the last of all are struck.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Row, Select, Table, select

from daemon.adapters.columns import Time
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import metadata
from tests.depth import IN_ALL
from tests.fakes.calls import OnCall, ignore
from tests.stages.simulation import Crash, Simulation

PASSING = ("lease_", "failures", "last_error", "cleaned_", "part_sha256")
"""Columns that tell of times and of the way: a cleaning counts what it finds, not what was deleted before."""
TABLES = [table for table in metadata.sorted_tables if table.name not in {"leases", "models", "audit"}]
"""Whether a model is proven depends on the order in which its chunks end; the audit tells of each try."""
LEASE_THAT_RUNS_OUT_AT_ONCE = -1.0

Points = Callable[[Sequence[str]], list[int]]
IN_FULL = [pytest.mark.endurance, pytest.mark.timeout(3600)]
"""The marks of a sweep that takes minutes."""


def record(sim: Simulation) -> list[str]:
    """Note each call from now on, as ``<stage> <call>``."""
    calls: list[str] = []
    sim.on_call = lambda call: calls.append(f"{sim.at_work} {call}")
    return calls


def effects(calls: Sequence[str]) -> list[int]:
    """Return the numbers of the calls at which something outside the process has just changed.

    The first call is among them: nothing has changed yet.
    """
    changed = (" done", " worker.delete")
    return [n for n, call in enumerate(calls, 1) if n == 1 or call.endswith(changed)]


def of_each_kind(calls: Sequence[str], numbers: Iterable[int] | None = None) -> list[int]:
    """Return the numbers of the first and the last of each kind: the same stage, call and sort of name."""
    among = range(1, len(calls) + 1) if numbers is None else numbers
    kinds = {n: _kind(calls[n - 1]) for n in among}
    first = {kind: n for n, kind in reversed(kinds.items())}
    last = {kind: n for n, kind in kinds.items()}
    return sorted({*first.values(), *last.values()})


def firsts(calls: Sequence[str], numbers: Iterable[int] | None = None) -> list[int]:
    """Return the numbers of the first of each kind."""
    among = range(1, len(calls) + 1) if numbers is None else numbers
    return sorted({_kind(calls[n - 1]): n for n in sorted(among, reverse=True)}.values())


def usual(calls: Sequence[str]) -> list[int]:
    """Return every effect where time allows (`make endurance`), else the first of each kind and the last."""
    everything = effects(calls)
    return everything if IN_ALL else sorted({*firsts(calls, everything), everything[-1]})


def usual_of_any_call(calls: Sequence[str]) -> list[int]:
    """Return the first and the last of each kind of call where time allows, else fewer of them.

    Then of what the store is asked, whose faults all come from one border, a stage's first call is struck and
    the first of each kind that has written something.
    """
    if IN_ALL:
        return of_each_kind(calls)
    every = firsts(calls)
    asked = [n for n in every if " store." in calls[n - 1] and not calls[n - 1].endswith(" done")]
    first_of_stage = {calls[n - 1].partition(" ")[0]: n for n in reversed(asked)}
    return sorted({*every} - {*asked} | {*first_of_stage.values()})


def _kind(call: str) -> str:
    """Return a call without what tells one subject from another."""
    return re.sub("[0-9a-f]*[0-9][0-9a-f]*", "", call)


def beyond(known: Sequence[str]) -> Points:
    """Strike the first effect of each kind that is not among ``known`` calls, and the last of all."""
    kinds = {_kind(call) for call in known}

    def points(calls: Sequence[str]) -> list[int]:
        everything = effects(calls)
        new = [n for n in firsts(calls, everything) if _kind(calls[n - 1]) not in kinds]
        return sorted({*new, everything[-1]})

    return points


def crash_everywhere(
    make: Callable[[float], Simulation],
    act: Callable[[Simulation], object],
    outcome: Callable[[Simulation], object],
    points: Points = usual,
) -> None:
    """Act in peace, then with a crash at each point; the outcome must be the same.

    ``make`` is given how long a lease lasts. No crash strikes before the act or after it.
    """
    sim = make(120)
    calls = record(sim)
    act(sim)
    sim.on_call = ignore
    expected = outcome(sim)
    for nth in points(calls):
        sim = make(LEASE_THAT_RUNS_OUT_AT_ONCE)
        sim.on_call = crash_at(nth)
        act(sim)
        sim.on_call = ignore
        assert outcome(sim) == expected, f"after a crash at call {nth}: {calls[nth - 1]}"
        assert not sim.dead


def rows_of(store: SqlStore) -> dict[str, list[str]]:
    """Return every row of the store without leases, times, and what went wrong on the way."""
    with store.database.read() as connection:
        return {table.name: sorted(map(_told, connection.execute(_lasting(table)))) for table in TABLES}


def _lasting(table: Table) -> Select[Any]:
    columns = (each for each in table.columns if not isinstance(each.type, Time))
    return select(*(each for each in columns if not each.name.startswith(PASSING)))


def _told(row: Row[Any]) -> str:
    return re.sub("[0-9]+ times", "n times", repr(tuple(row)))


def crash_at(nth: int) -> OnCall:
    """Die at the n-th call."""
    return strike_at(nth, Crash)


def strike_at(nth: int, how: type[BaseException]) -> OnCall:
    """Raise something at the n-th call."""
    numbers = count(1)

    def on_call(call: str) -> None:
        if next(numbers) == nth:
            raise how(call)

    return on_call
