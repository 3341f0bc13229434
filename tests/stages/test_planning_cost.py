"""What a page of a plan asks of its database does not grow with the pages before it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.bench.planning import ManyObjects, Planner
from tests.stages.simulation import Simulation

STEP = 100


@contextmanager
def work_of(engine: Engine) -> Iterator[list[int]]:
    """Count statements, and instructions of SQLite's own machine in hundreds."""
    counted = [0, 0]

    def step() -> int:
        counted[1] += 1
        return 0

    def statement(*_: Any) -> None:
        counted[0] += 1

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(step, STEP)

    def leave(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(None, 0)

    told = (("checkout", watch), ("checkin", leave), ("before_cursor_execute", statement))
    for name, heard in told:
        event.listen(engine, name, heard)
    try:
        yield counted
    finally:
        for name, heard in told:
            event.remove(engine, name, heard)


@pytest.mark.parametrize("source", ["list", "prefix"])
def test_a_page_of_files_costs_the_same_however_many_were_read_before_it(
    sim: Simulation, source: str
) -> None:
    with work_of(sim.store.database.engine) as counted:
        marks: list[tuple[int, int]] = []
        objects = ManyObjects(4_000, on_thousand=lambda: marks.append((counted[0], counted[1])))
        Planner(sim.store, objects).plan(source)
    pages = [(after[0] - at[0], after[1] - at[1]) for at, after in pairwise(marks)]
    (few, little), (many, much) = pages[0], pages[-1]
    assert len(pages) == 3
    assert many <= few
    assert much <= 1.05 * little, pages
