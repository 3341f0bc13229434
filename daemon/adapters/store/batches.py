"""Batches: accepting, moving, cancelling."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Batch, Held, NewBatch
from daemon.adapters.store.current import choose_current
from daemon.adapters.store.database import Database, insert
from daemon.adapters.store.leases import guard, is_held
from daemon.adapters.store.moves import move_batch, move_chunk
from daemon.adapters.store.reuse import options_of
from daemon.adapters.store.slots import lock_model
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
from schemas.messages import Terms
from schemas.models import base_model
from schemas.outcomes import Outcome

CANCELLED_AT_ONCE = 50
_COLUMNS = [column for column in batches.c if column.name not in {"request", "lease_token", "lease_until"}]


class Batches:
    """The batch rows."""

    database: Database

    def accept(self, batch: NewBatch) -> bool:
        """Store a request unless its batch exists; tells whether it is new."""
        values = {
            "batch_id": batch.batch_id,
            "request_id": batch.terms.request_id,
            "request": batch.request,
            "terms": batch.terms.model_dump(mode="json"),
            "model": batch.model,
            "bucket": batch.bucket,
            "state": BatchState.PLANNING,
            "options": options_of(batch.terms),
            "budget_usd": batch.terms.budget_usd,
            "cursor": {},
            "failures": {},
            "created_at": batch.created_at,
        }
        with self.database.write() as connection:
            new = insert(connection, batches).values(values).on_conflict_do_nothing()
            return connection.execute(new.returning(batches.c.batch_id)).first() is not None

    def batch(self, batch_id: str) -> Batch | None:
        """Return one batch."""
        with self.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(batches.c.batch_id == batch_id)).first()
            return _batch(row) if row else None

    def request_of(self, batch_id: str) -> str:
        """Return the canonical request body as it was accepted; empty for an unknown batch."""
        asked = select(batches.c.request).where(batches.c.batch_id == batch_id)
        with self.database.read() as connection:
            return connection.execute(asked).scalar_one_or_none() or ""

    def start_batch(self, batch_id: str) -> None:
        """PLANNED → RUNNING; an ended batch stays ended."""
        which = and_(batches.c.batch_id == batch_id, batches.c.state == BatchState.PLANNED)
        with self.database.once() as connection:
            move_batch(connection, which, BatchState.RUNNING)

    def finish_plan(self, held: Held, now: datetime, *, canary: int | None = None) -> None:
        """PLANNING → PLANNED; what was cancelled meanwhile is cancelled with its chunks."""
        with self.database.write() as connection:
            guard(connection, held)
            move_batch(
                connection, batches.c.batch_id == held.id, BatchState.PLANNED, wake_after=None, canary=canary
            )
            asked = select(batches.c.cancelled).where(batches.c.batch_id == held.id)
            cancelled = connection.execute(asked).scalar_one()
        if cancelled:
            self._cancel_chunks(held.id, now)

    def finish_batch(self, held: Held, changes: int, state: BatchState, reason: str, now: datetime) -> bool:
        """Move a batch to an end state, unless a chunk of it ended since ``changes`` was read."""
        which = and_(batches.c.batch_id == held.id, batches.c.changes == changes)
        with self.database.write() as connection:
            guard(connection, held)
            values = {"reason": reason, "finished_at": now, "wake_after": None}
            return bool(move_batch(connection, which, state, **values))

    def cancel(self, batch_id: str, reason: str, now: datetime) -> Sequence[str]:
        """Set the flag of a batch that has not ended, and end what has not started; returns the open jobs."""
        batch = self.batch(batch_id)
        if batch is None:
            return ()
        flag = update(batches).where(batches.c.batch_id == batch_id, batch_open)
        with self.database.write() as connection:
            lock_model(connection, base_model(batch.model))
            if not connection.execute(flag.values(cancelled=True, reason=reason)).rowcount:
                return ()
        self._cancel_chunks(batch_id, now)
        running = select(jobs.c.chunk_id).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
        running = running.where(chunks.c.batch_id == batch_id, job_open).order_by(chunks.c.number)
        with self.database.read() as connection:
            return connection.execute(running).scalars().all()

    def chunk_ids(self, batch_id: str) -> Sequence[tuple[str, ChunkState]]:
        """Return a batch's chunks with their states, in order."""
        asked = select(chunks.c.chunk_id, chunks.c.state).where(chunks.c.batch_id == batch_id)
        with self.database.read() as connection:
            found = connection.execute(asked.order_by(chunks.c.number))
            return [(row.chunk_id, ChunkState(row.state)) for row in found]

    def is_through(self, batch_id: str) -> bool:
        """Tell whether a plan is complete and no chunk of it is still on its way."""
        left = select(chunks.c.chunk_id).where(chunks.c.batch_id == batch_id, chunk_unended).exists()
        asked = select(~left).where(batches.c.batch_id == batch_id, batches.c.state != BatchState.PLANNING)
        with self.database.read() as connection:
            return bool(connection.execute(asked).scalar_one_or_none())

    def _cancel_chunks(self, batch_id: str, now: datetime) -> None:
        """End the chunks that nobody holds and that have no job: few at a time, so that nobody waits long."""
        idle = and_(chunks.c.batch_id == batch_id, chunk_starts, ~is_held(chunks), ~has_job)
        some = select(chunks.c.chunk_id).where(idle).limit(CANCELLED_AT_ONCE)
        while True:
            with self.database.write() as connection:
                ids = connection.execute(some).scalars().all()
                if not ids:
                    return
                _cancel(connection, ids, now)


def _cancel(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    idle = and_(chunks.c.chunk_id.in_(ids), ~is_held(chunks), ~has_job)
    reason = "the batch was cancelled"
    move_chunk(connection, idle, ChunkState.CANCELLED, reason=reason, finished_at=now, wake_after=None)
    gone = select(chunks.c.chunk_id).where(chunks.c.chunk_id.in_(ids), chunks.c.state == ChunkState.CANCELLED)
    close = update(records).where(records.c.chunk_id.in_(gone), records.c.outcome.is_(None))
    values = {"error_code": "CANCELLED", "error_message": "The batch was cancelled.", "created_at": now}
    connection.execute(close.values(outcome=Outcome.CANCELLED, **values))
    for chunk_id in ids:
        choose_current(connection, chunk_id)


def _batch(row: Row[Any]) -> Batch:
    return Batch(
        row.batch_id,
        row.request_id,
        Terms.model_validate(row.terms),
        row.model,
        row.bucket,
        BatchState(row.state),
        row.reason,
        row.revision,
        row.round,
        row.cursor,
        row.cancelled,
        row.created_at,
        row.finished_at,
        row.failures,
        row.changes,
        row.budget_usd,
        row.committed_usd,
        row.stopped,
        row.canary,
    )
