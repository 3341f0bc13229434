"""Batches: accepting, reading, moving."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Batch, Held, NewBatch, Verb
from daemon.adapters.store.auditing import note
from daemon.adapters.store.database import Database, insert
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import WORKED, move_batch
from daemon.adapters.store.reparsing import read_reparse
from daemon.adapters.store.reuse import options_of
from daemon.adapters.store.stopping import CANCELLED, end_idle
from daemon.adapters.tables import (
    batches,
    chunk_unended,
    chunks,
)
from schemas.messages import Terms, requester

_COLUMNS = [column for column in batches.c if column.name not in {"request", "lease_token", "lease_until"}]
_BATCH = select(*_COLUMNS).where(batches.c.batch_id == bindparam("id"))
_LEFT = select(chunks.c.chunk_id).where(chunks.c.batch_id == batches.c.batch_id, chunk_unended).exists()
_THROUGH = select(~_LEFT).where(batches.c.batch_id == bindparam("id"), batches.c.state != BatchState.PLANNING)


class Batches:
    """The batch rows."""

    database: Database
    actor: str

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
            "cursor": dict(batch.cursor),
            "failures": {},
            "created_at": batch.created_at,
        }
        with self.database.write() as connection:
            new = insert(connection, batches).values(values).on_conflict_do_nothing()
            if connection.execute(new.returning(batches.c.batch_id)).first() is None:
                return False
            by = requester(batch.terms)
            note(
                connection, self.actor, Verb.ACCEPT, batch.batch_id, batch_id=batch.batch_id, requested_by=by
            )
            return True

    def batch(self, batch_id: str) -> Batch | None:
        """Return one batch."""
        with self.database.read() as connection:
            row = connection.execute(_BATCH, {"id": batch_id}).first()
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
            which = batches.c.batch_id == held.id
            move_batch(connection, which, BatchState.PLANNED, canary=canary, **WORKED)
            asked = select(batches.c.cancelled).where(batches.c.batch_id == held.id)
            cancelled = connection.execute(asked).scalar_one()
        if cancelled:
            end_idle(self.database, held.id, CANCELLED, now)

    def finish_batch(self, held: Held, changes: int, state: BatchState, reason: str, now: datetime) -> bool:
        """Move a batch to an end state, unless a chunk of it ended since ``changes`` was read."""
        which = and_(batches.c.batch_id == held.id, batches.c.changes == changes)
        with self.database.write() as connection:
            guard(connection, held)
            values = {"reason": reason, "finished_at": now, "wake_after": None}
            moved = bool(move_batch(connection, which, state, **values))
            if moved:
                note(connection, self.actor, Verb.END_BATCH, held.id, batch_id=held.id, detail=state.value)
            return moved

    def chunk_ids(self, batch_id: str) -> Sequence[tuple[str, ChunkState]]:
        """Return a batch's chunks with their states, in order."""
        asked = select(chunks.c.chunk_id, chunks.c.state).where(chunks.c.batch_id == batch_id)
        with self.database.read() as connection:
            found = connection.execute(asked.order_by(chunks.c.number))
            return [(row.chunk_id, ChunkState(row.state)) for row in found]

    def is_through(self, batch_id: str) -> bool:
        """Tell whether a plan is complete and no chunk of it is still on its way."""
        with self.database.read() as connection:
            return bool(connection.execute(_THROUGH, {"id": batch_id}).scalar_one_or_none())


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
        row.retried,
        row.first_round,
        read_reparse(row),
        row.results_removed_at,
    )
