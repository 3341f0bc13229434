"""A database with a long past: chunks that ended with their jobs, and some that wait."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, cast, insert, literal, select, text, true

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks, jobs
from tests.contracts.planting import NOW, end_job, plant, stage, submit


def grow(store: SqlStore, finished: int, waiting: int) -> Sequence[str]:
    """Plant a batch of which one chunk ended, copy that one ``finished`` times; returns READY chunks."""
    past, *ready = plant(store, chunks=waiting + 1, files=1)
    submit(store, past)
    end_job(store, past)
    ended: dict[str, ColumnElement[Any]] = {
        "state": literal(ChunkState.COMPLETED.value),
        "finished_at": literal(NOW + timedelta(hours=1), chunks.c.finished_at.type),
        "cleaned_at": literal(NOW + timedelta(hours=2), chunks.c.cleaned_at.type),
    }
    _multiply(store, chunks, past, finished, ("chunk_id", "folder"), {"number": 1_000_000}, ended)
    _multiply(store, jobs, past, finished, ("chunk_id", "name", "arn"), {}, {})
    with store.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    for chunk_id in ready:
        stage(store, chunk_id)
    return ready


def _multiply(
    store: SqlStore,
    table: Table,
    like: str,
    times: int,
    names: Sequence[str],
    counted: dict[str, int],
    other: dict[str, ColumnElement[Any]],
) -> None:
    """Copy the rows of one chunk, each copy under names of its own."""
    numbers = select(literal(1).label("i")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.i + 1).where(numbers.c.i < times))
    own = {name: table.c[name] + literal("-") + cast(numbers.c.i, Text) for name in names}
    placed = {name: numbers.c.i + first for name, first in counted.items()}
    values: dict[str, Any] = {column.name: column for column in table.c} | own | placed | other
    made = select(*values.values()).select_from(table).join(numbers, true()).where(table.c.chunk_id == like)
    with store.engine.begin() as connection:
        connection.execute(insert(table).from_select(list(values), made))
