"""What the gates decide on, read in a few statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, or_, select
from sqlalchemy.sql.selectable import Select

from consumers.core import gate
from consumers.core.gate import ChunkView, ModelView
from consumers.core.lifecycle import PAST_VALIDATION, BatchState, ChunkState
from daemon.adapters.store.leases import is_held
from daemon.adapters.store.model_rows import ModelRow
from daemon.adapters.tables import batches, chunk_starts, chunk_unread, chunks, job_open, jobs, state_in

STAGED = (ChunkState.PREPARING, ChunkState.READY)
has_job = exists().where(jobs.c.chunk_id == chunks.c.chunk_id)
without_proof = jobs.c.status.not_in(sorted(PAST_VALIDATION))
let_through = or_(batches.c.canary.is_(None), chunks.c.number < batches.c.canary)


_base = bindparam("base", type_=chunks.c.base_model.type)
_ASKING = (
    select(
        chunks.c.state,
        chunks.c.priority,
        chunks.c.created_at,
        chunks.c.estimate_usd,
        chunks.c.batch_id,
        batches.c.state.label("batch_state"),
        batches.c.cancelled,
        batches.c.stopped,
        batches.c.budget_usd,
        batches.c.committed_usd,
        (~let_through).label("held_back"),
        has_job.label("claimed"),
    )
    .join(batches, batches.c.batch_id == chunks.c.batch_id)
    .where(chunks.c.chunk_id == bindparam("id"))
)
_JOBS = select(func.count(), func.count().filter(jobs.c.arn.is_(None))).where(
    jobs.c.base_model == _base, job_open
)
_STAGED = (
    select(
        chunks.c.batch_id,
        chunks.c.priority,
        chunks.c.created_at,
        chunks.c.estimate_usd,
        and_(chunks.c.state == ChunkState.READY, is_held(chunks)).label("at_gate"),
    )
    .where(chunks.c.base_model == _base, chunk_starts, state_in(chunks, STAGED), ~has_job)
    .order_by(chunks.c.created_at, chunks.c.number)
)
_JOBS_BY_BATCH = (
    select(chunks.c.batch_id, func.count())
    .join(jobs, jobs.c.chunk_id == chunks.c.chunk_id)
    .where(jobs.c.base_model == _base, job_open)
    .group_by(chunks.c.batch_id)
)
_UNREAD_BY_BATCH = (
    select(chunks.c.batch_id, func.count())
    .where(chunks.c.base_model == _base, chunk_unread)
    .group_by(chunks.c.batch_id)
)


@dataclass(frozen=True, slots=True)
class Staged:
    """A chunk PREPARING, or READY without a job; ``at_gate`` is one that somebody is about to claim for."""

    batch_id: str
    rank: int
    estimate_usd: Decimal | None
    at_gate: bool


@dataclass(frozen=True, slots=True)
class Asking:
    """A chunk at a gate, and the batch that pays for it."""

    chunk: ChunkView
    batch_id: str
    batch_left: Decimal | None


def asking(connection: Connection, chunk_id: str, now: datetime) -> Asking:
    """Read what counts for a chunk."""
    row = connection.execute(_ASKING, {"id": chunk_id}).one()
    chunk = ChunkView(
        ChunkState(row.state),
        gate.rank_of(row.priority, row.created_at, now),
        row.batch_state == BatchState.PLANNING,
        row.cancelled,
        bool(row.claimed),
        bool(row.stopped),
        bool(row.held_back),
        row.estimate_usd,
    )
    return Asking(chunk, row.batch_id, batch_left(row))


def jobs_view(connection: Connection, row: ModelRow) -> ModelView:
    """Read what counts for claiming a slot."""
    jobs_open, claims = connection.execute(_JOBS, {"base": row.model}).one()
    unread = 0 if row.proven else unread_failures(connection, row.model)
    return ModelView(
        row.paused,
        row.blocked_until,
        jobs_open,
        claims,
        proven=row.proven,
        failed=row.failed,
        unread=unread,
    )


def model_view(connection: Connection, row: ModelRow, staged: Sequence[Staged]) -> ModelView:
    """Read what counts for staging, too."""
    ranks = tuple(each.rank for each in staged)
    return replace(jobs_view(connection, row), staged=ranks, at_gate=sum(each.at_gate for each in staged))


def read_staged(connection: Connection, base: str, now: datetime) -> list[Staged]:
    """Read the staged chunks of a model, oldest plans first."""
    return [
        Staged(
            row.batch_id,
            gate.rank_of(row.priority, row.created_at, now),
            row.estimate_usd,
            bool(row.at_gate),
        )
        for row in connection.execute(_STAGED, {"base": base})
    ]


def jobs_by_batch(connection: Connection, base: str) -> Mapping[str, int]:
    """Count the open jobs of each batch."""
    return _counts(connection, _JOBS_BY_BATCH, base)


def unread_by_batch(connection: Connection, base: str) -> Mapping[str, int]:
    """Count the chunks of each batch whose job ended and whose results are not stored yet."""
    return _counts(connection, _UNREAD_BY_BATCH, base)


def unread_failures(connection: Connection, base: str) -> int:
    """Count the jobs that ended without a proof, as far as nobody has read yet what became of them."""
    asked = select(func.count()).select_from(jobs).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
    asked = asked.where(chunks.c.base_model == base, chunk_unread, without_proof)
    return connection.execute(asked).scalar_one()


def ended_later(connection: Connection, base: str, chunk_id: str) -> int:
    """Count the jobs that ended after a chunk's, as far as their results are not stored yet."""
    mine = select(jobs.c.ended_at).where(jobs.c.chunk_id == chunk_id).scalar_subquery()
    later = or_(jobs.c.ended_at > mine, and_(jobs.c.ended_at == mine, jobs.c.chunk_id > chunk_id))
    asked = select(func.count()).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
    asked = asked.where(chunks.c.base_model == base, chunk_unread, later)
    return connection.execute(asked).scalar_one()


def batch_left(row: Row[*tuple[Any, ...]]) -> Decimal | None:
    """Return what is left of a batch's budget; None without one, below nothing if estimates were too low."""
    return None if row.budget_usd is None else row.budget_usd - row.committed_usd


def _counts(connection: Connection, asked: Select[Any], base: str) -> Mapping[str, int]:
    return {row[0]: row[1] for row in connection.execute(asked, {"base": base})}
