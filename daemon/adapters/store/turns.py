"""Whose turn it is: the waiting chunks that come first, read by the partial indexes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, Row, and_, bindparam, func, or_, select
from sqlalchemy.sql.selectable import Select

from consumers.core import gate
from consumers.core.gate import Candidate
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.purse import Purse
from daemon.adapters.store.funds import need_not_wait
from daemon.adapters.store.leases import is_held
from daemon.adapters.store.views import batch_left, has_job, let_through
from daemon.adapters.tables import batches, chunk_starts, chunks, state_in

_CANDIDATE = (
    chunks.c.chunk_id,
    chunks.c.batch_id,
    chunks.c.priority,
    chunks.c.created_at,
    chunks.c.number,
)


def waiting(
    connection: Connection,
    base: str,
    state: ChunkState,
    in_use: Mapping[str, int],
    purse: Callable[[str, Decimal | None], Purse],
    room: int,
    now: datetime,
) -> list[Candidate]:
    """Read the first chunks that nobody holds and that wait for nothing else, of the batches that come first.

    Where there is room for some chunks, no batch behind as many others can get any of it. ``purse`` tells
    what a batch may pay, given what is left of its own budget.
    """
    if not room:
        return []
    heads = {row.batch_id: row for row in connection.execute(_HEADS[state], {"base": base})}
    found: list[Candidate] = []
    batches_left = room
    for head in gate.in_order([_candidate(row) for row in heads.values()], in_use, now):
        if not batches_left:
            break
        affordable = need_not_wait(purse(head.batch_id, batch_left(heads[head.batch_id])))
        which = {"base": base, "batch": head.batch_id, "now": now, "room": room}
        rows = connection.execute(_FREE[state].where(*affordable), which).all()
        found += [_candidate(row) for row in rows]
        batches_left -= bool(rows)
    return found


def _heads(state: ChunkState) -> Select[Any]:
    """Read the first chunk of each batch that may go on; the index alone answers for all the others."""
    first = (
        select(chunks.c.batch_id, func.min(chunks.c.number).label("number"))
        .where(chunks.c.base_model == bindparam("base"), chunk_starts, state_in(chunks, [state]))
        .group_by(chunks.c.batch_id)
        .subquery()
    )
    return (
        select(*_CANDIDATE, batches.c.budget_usd, batches.c.committed_usd)
        .join(first, and_(first.c.batch_id == chunks.c.batch_id, first.c.number == chunks.c.number))
        .join(batches, batches.c.batch_id == chunks.c.batch_id)
        .where(batches.c.state != BatchState.PLANNING, ~batches.c.cancelled, batches.c.stopped == "")
        .where(let_through)
    )


def _free(state: ChunkState) -> Select[Any]:
    free: Select[Any] = (
        select(*_CANDIDATE)
        .join(batches, batches.c.batch_id == chunks.c.batch_id)
        .where(
            chunks.c.base_model == bindparam("base"),
            chunks.c.batch_id == bindparam("batch"),
            chunk_starts,
            state_in(chunks, [state]),
            let_through,
            ~is_held(chunks),
            or_(chunks.c.wake_after.is_(None), chunks.c.wake_after <= bindparam("now")),
            ~has_job,
        )
        .order_by(chunks.c.number)
        .limit(bindparam("room", type_=Integer()))
    )
    return free


_HEADS = {state: _heads(state) for state in (ChunkState.READY, ChunkState.PLANNED)}
_FREE = {state: _free(state) for state in _HEADS}


def _candidate(row: Row[*tuple[Any, ...]]) -> Candidate:
    return Candidate(row.chunk_id, row.batch_id, row.priority, row.created_at, row.number)
