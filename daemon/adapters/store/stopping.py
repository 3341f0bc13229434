"""Batches that buy no more: cancelled by a person, stopped by a budget or a canary, or held back by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, or_, select, update

from consumers.core.lifecycle import ChunkState
from consumers.core.rows import CanaryCount, Held, Verb
from daemon.adapters.store.auditing import note
from daemon.adapters.store.current import choose_current
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard, is_held
from daemon.adapters.store.model_rows import lock_model
from daemon.adapters.store.moves import move_chunk
from daemon.adapters.store.views import has_job
from daemon.adapters.tables import (
    batch_open,
    batches,
    chunk_starts,
    chunk_unended,
    chunks,
    job_open,
    jobs,
    records,
)
from schemas.models import base_model
from schemas.outcomes import Outcome

ENDED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Unbought:
    """How chunks and records end that are not bought."""

    outcome: Outcome
    reason: str
    message: str


CANCELLED = Unbought(Outcome.CANCELLED, "the batch was cancelled", "The batch was cancelled.")


class Stopping:
    """The ways in which a batch ends before all of it was bought."""

    database: Database
    actor: str

    def cancel(self, batch_id: str, reason: str, now: datetime) -> Sequence[str]:
        """Set the flag of a batch that has not ended, and end what has not started; returns the open jobs."""
        open_batch = and_(batches.c.batch_id == batch_id, batch_open)
        flag = update(batches).where(open_batch).values(cancelled=True, reason=reason)
        with self.database.write() as connection:
            _lock(connection, batch_id)
            before = connection.execute(select(batches.c.cancelled).where(open_batch)).scalar_one_or_none()
            if not connection.execute(flag).rowcount:
                return ()
            if not before:
                note(connection, self.actor, Verb.CANCEL, batch_id, batch_id=batch_id, detail=reason)
        end_idle(self.database, batch_id, CANCELLED, now)
        running = select(jobs.c.chunk_id).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
        running = running.where(chunks.c.batch_id == batch_id, job_open).order_by(chunks.c.number)
        with self.database.read() as connection:
            return connection.execute(running).scalars().all()

    def stop_buying(self, batch_id: str, why: str, now: datetime) -> None:
        """Note why no more of a batch is bought, the first reason for good, and end what has not started."""
        first = case((batches.c.stopped == "", why), else_=batches.c.stopped)
        stop = update(batches).where(batches.c.batch_id == batch_id, batch_open)
        with self.database.write() as connection:
            _lock(connection, batch_id)
            stopped = connection.execute(stop.values(stopped=first).returning(batches.c.stopped)).first()
        if stopped is not None:
            end_idle(self.database, batch_id, Unbought(Outcome.NOT_BOUGHT, stopped[0], stopped[0]), now)

    def canary(self, batch_id: str) -> CanaryCount:
        """Count what the chunks came to that a canary lets through; nothing where there is none."""
        first = and_(chunks.c.batch_id == batch_id, chunks.c.number < batches.c.canary)
        left = select(func.count()).select_from(chunks).join(batches, batches.c.batch_id == batch_id)
        good = or_(
            records.c.outcome == Outcome.SUCCEEDED,
            and_(records.c.outcome == Outcome.TRUNCATED, records.c.repaired),
        )
        sent = select(func.count(), func.count().filter(good)).select_from(records)
        sent = sent.join(chunks, chunks.c.chunk_id == records.c.chunk_id)
        sent = sent.join(batches, batches.c.batch_id == chunks.c.batch_id)
        with self.database.read() as connection:
            still = connection.execute(left.where(first, chunk_unended)).scalar_one()
            return CanaryCount(still, *connection.execute(sent.where(first)).one())

    def release_canary(self, held: Held) -> None:
        """Let the other chunks of the batch start."""
        with self.database.write() as connection:
            _lock(connection, held.id)
            guard(connection, held)
            connection.execute(update(batches).where(batches.c.batch_id == held.id).values(canary=None))


def end_idle(database: Database, batch_id: str, how: Unbought, now: datetime) -> None:
    """End the chunks that nobody holds and that have no job: few at a time, so that nobody waits long."""
    idle = and_(chunks.c.batch_id == batch_id, chunk_starts, ~is_held(chunks), ~has_job)
    some = select(chunks.c.chunk_id).where(idle).limit(ENDED_AT_ONCE)
    while True:
        with database.write() as connection:
            ids = connection.execute(some).scalars().all()
            if not ids:
                return
            _end(connection, ids, how, now)


def _end(connection: Connection, ids: Sequence[str], how: Unbought, now: datetime) -> None:
    idle = and_(chunks.c.chunk_id.in_(ids), ~is_held(chunks), ~has_job)
    move_chunk(connection, idle, ChunkState.CANCELLED, reason=how.reason, finished_at=now, wake_after=None)
    gone = select(chunks.c.chunk_id).where(chunks.c.chunk_id.in_(ids), chunks.c.state == ChunkState.CANCELLED)
    close = update(records).where(records.c.chunk_id.in_(gone), records.c.outcome.is_(None))
    values = {"error_code": how.outcome, "error_message": how.message, "created_at": now}
    connection.execute(close.values(outcome=how.outcome, **values))
    later = select(chunks.c.chunk_id).where(chunks.c.chunk_id.in_(ids), chunks.c.round > 0)
    for chunk_id in connection.execute(later).scalars().all():
        choose_current(connection, chunk_id)


def _lock(connection: Connection, batch_id: str) -> None:
    """Lock the model of a batch: no chunk of it is at a gate now."""
    asked = select(batches.c.model).where(batches.c.batch_id == batch_id)
    model = connection.execute(asked).scalar_one_or_none()
    if model is not None:
        lock_model(connection, base_model(model))
