"""What a plan asks of its database and of S3 grows as its files do, and no faster."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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


def planned(sim: Simulation, source: str, files: int) -> tuple[int, int, int]:
    """Plan so many files; returns statements, instructions of the database, and calls of S3."""
    objects = ManyObjects(files)
    with work_of(sim.store.database.engine) as counted:
        batch_id = Planner(sim.store, objects).plan(source, f"{source} of {files}")
    assert sim.store.count(batch_id).files == files
    return counted[0], counted[1], sum(objects.calls.values())


@pytest.mark.parametrize("source", ["list", "prefix"])
def test_twice_the_files_are_twice_the_work(sim: Simulation, source: str) -> None:
    planned(sim, source, 100)
    few, many = (planned(sim, source, files) for files in (1_500, 3_000))
    assert all(most <= 2.3 * least for least, most in zip(few, many, strict=True)), (few, many)
