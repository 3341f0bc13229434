"""The only statements that write a state: a row moves only from where it may come."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState, batch_sources, sources
from daemon.adapters.tables import batches, chunks, state_in

WORKED: Mapping[str, Any] = {"failures": {}, "wake_after": None}
"""What is written with a step that was taken: what failed on the way to it counts no more."""


def move_chunk(connection: Connection, which: ColumnElement[bool], state: ChunkState, **also: Any) -> int:
    """Move chunks, writing further columns with it; returns how many were where they may come from."""
    move = update(chunks).where(which, state_in(chunks, sources(state))).values(state=state, **also)
    return connection.execute(move).rowcount


def move_batch(connection: Connection, which: ColumnElement[bool], state: BatchState, **also: Any) -> int:
    """Move a batch, writing further columns with it; returns how many were where they may come from."""
    move = update(batches).where(which, state_in(batches, batch_sources(state))).values(state=state, **also)
    return connection.execute(move).rowcount


def revise_batch(connection: Connection, which: ColumnElement[bool], end: BatchState, **also: Any) -> int:
    """Give an ended batch the end of its next revision, which may be the same; returns how many had ended."""
    move = update(batches).where(which, state_in(batches, BATCH_ENDS))
    return connection.execute(move.values(state=end, revision=batches.c.revision + 1, **also)).rowcount
