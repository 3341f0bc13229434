"""How much a database does, counted instead of timed."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

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
