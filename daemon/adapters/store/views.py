"""What the gates decide on, read in a few statements."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select
from sqlalchemy.sql.selectable import Select

from consumers.core import gate
from consumers.core.gate import Candidate, ChunkView, ModelView
from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.store.leases import is_held
from daemon.adapters.tables import batches, chunk_starts, chunks, job_open, jobs, state_in

STAGED = (ChunkState.PREPARING, ChunkState.READY)
_CANDIDATE = (
    chunks.c.chunk_id,
    chunks.c.batch_id,
    chunks.c.priority,
    chunks.c.created_at,
    chunks.c.number,
)
has_job = exists().where(jobs.c.chunk_id == chunks.c.chunk_id)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The row of a base model, with what holds for all models."""

    model: str
    paused: bool
    blocked_until: datetime | None
    block_seconds: int


def chunk_view(connection: Connection, chunk_id: str, now: datetime) -> ChunkView:
    """Read what counts for a chunk."""
    asked = (
        select(
            chunks.c.state,
            chunks.c.priority,
            chunks.c.created_at,
            batches.c.state.label("batch_state"),
            batches.c.cancelled,
            has_job.label("claimed"),
        )
        .join(batches, batches.c.batch_id == chunks.c.batch_id)
        .where(chunks.c.chunk_id == chunk_id)
    )
    row = connection.execute(asked).one()
    return ChunkView(
        ChunkState(row.state),
        gate.rank_of(row.priority, row.created_at, now),
        row.batch_state == BatchState.PLANNING,
        row.cancelled,
        bool(row.claimed),
    )


def jobs_view(connection: Connection, row: ModelRow) -> ModelView:
    """Read what counts for claiming a slot."""
    unconfirmed = func.count().filter(jobs.c.arn.is_(None))
    asked = select(func.count(), unconfirmed).where(jobs.c.base_model == row.model, job_open)
    jobs_open, claims = connection.execute(asked).one()
    return ModelView(row.paused, row.blocked_until, jobs_open, claims)


def _staged(base: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(
        chunks.c.base_model == base, chunk_starts, state_in(chunks, STAGED), ~has_job
    )


def model_view(connection: Connection, row: ModelRow, now: datetime) -> ModelView:
    """Read what counts for staging, too."""
    view = jobs_view(connection, row)
    staged = connection.execute(_staged(row.model, chunks.c.priority, chunks.c.created_at))
    ranks = tuple(gate.rank_of(each.priority, each.created_at, now) for each in staged)
    return replace(view, staged=ranks)


def jobs_by_batch(connection: Connection, base: str) -> Mapping[str, int]:
    """Count the open jobs of each batch."""
    asked = (
        select(chunks.c.batch_id, func.count())
        .join(jobs, jobs.c.chunk_id == chunks.c.chunk_id)
        .where(jobs.c.base_model == base, job_open)
        .group_by(chunks.c.batch_id)
    )
    return dict(_pairs(connection, asked))


def staged_by_batch(connection: Connection, base: str) -> Mapping[str, int]:
    """Count the staged chunks of each batch."""
    asked = _staged(base, chunks.c.batch_id, func.count()).group_by(chunks.c.batch_id)
    return dict(_pairs(connection, asked))


def waiting(
    connection: Connection,
    base: str,
    state: ChunkState,
    in_use: Mapping[str, int],
    *,
    room: int,
    now: datetime,
) -> list[Candidate]:
    """Read the first chunks that nobody holds and that do not rest, of the batches that come first.

    Where there is room for some chunks, no batch behind as many others can get any of it.
    """
    found: list[Candidate] = []
    batches_left = room
    for head in gate.in_order(_heads(connection, base, state), in_use, now):
        if not batches_left:
            break
        rows = connection.execute(_free(base, state, head.batch_id, room, now)).all()
        found += [_candidate(row) for row in rows]
        batches_left -= bool(rows)
    return found


def _heads(connection: Connection, base: str, state: ChunkState) -> list[Candidate]:
    """Read the first chunk of each batch that may go on; the index alone answers for all the others."""
    first = (
        select(chunks.c.batch_id, func.min(chunks.c.number).label("number"))
        .where(chunks.c.base_model == base, chunk_starts, state_in(chunks, [state]))
        .group_by(chunks.c.batch_id)
        .subquery()
    )
    asked = (
        select(*_CANDIDATE)
        .join(first, and_(first.c.batch_id == chunks.c.batch_id, first.c.number == chunks.c.number))
        .join(batches, batches.c.batch_id == chunks.c.batch_id)
        .where(batches.c.state != BatchState.PLANNING, ~batches.c.cancelled)
    )
    return [_candidate(row) for row in connection.execute(asked)]


def _free(base: str, state: ChunkState, batch_id: str, room: int, now: datetime) -> Select[Any]:
    free: Select[Any] = (
        select(*_CANDIDATE)
        .where(
            chunks.c.base_model == base,
            chunks.c.batch_id == batch_id,
            chunk_starts,
            state_in(chunks, [state]),
            ~is_held(chunks),
            or_(chunks.c.wake_after.is_(None), chunks.c.wake_after <= now),
            ~has_job,
        )
        .order_by(chunks.c.number)
        .limit(room)
    )
    return free


def _candidate(row: Row[*tuple[Any, ...]]) -> Candidate:
    return Candidate(row.chunk_id, row.batch_id, row.priority, row.created_at, row.number)


def _pairs(connection: Connection, asked: Select[Any]) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in connection.execute(asked)]
