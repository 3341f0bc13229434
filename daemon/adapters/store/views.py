"""What the gates decide on, read in a few statements."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, func, or_, select
from sqlalchemy.sql.selectable import Select

from consumers.core import gate
from consumers.core.gate import Candidate, ChunkView, ModelView
from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.store.leases import is_held
from daemon.adapters.tables import batches, chunk_starts, chunks, job_open, jobs, state_in

STAGED = (ChunkState.PREPARING, ChunkState.READY)
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
    connection: Connection, base: str, state: ChunkState, each: int, now: datetime
) -> list[Candidate]:
    """Read the first chunks of every batch that nobody holds and that do not rest."""
    place = func.row_number().over(
        partition_by=chunks.c.batch_id, order_by=[chunks.c.created_at, chunks.c.number]
    )
    found = (
        select(
            chunks.c.chunk_id,
            chunks.c.batch_id,
            chunks.c.priority,
            chunks.c.created_at,
            chunks.c.number,
            place.label("place"),
        )
        .join(batches, batches.c.batch_id == chunks.c.batch_id)
        .where(
            chunks.c.base_model == base,
            chunk_starts,
            state_in(chunks, [state]),
            ~is_held(chunks),
            or_(chunks.c.wake_after.is_(None), chunks.c.wake_after <= now),
            batches.c.state != BatchState.PLANNING,
            ~batches.c.cancelled,
            ~has_job,
        )
        .subquery()
    )
    rows = connection.execute(select(found).where(found.c.place <= each))
    return [Candidate(row.chunk_id, row.batch_id, row.priority, row.created_at, row.number) for row in rows]


def _pairs(connection: Connection, asked: Select[Any]) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in connection.execute(asked)]
