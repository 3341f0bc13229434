"""Slots, stage places, pauses and blocks: everything decided under the lock of the model's row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from consumers.core import gate
from consumers.core.gate import ALL_MODELS
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Gate, Held
from daemon.adapters.store.database import Database, insert_new
from daemon.adapters.store.leases import guard, let_go
from daemon.adapters.store.moves import move_chunk
from daemon.adapters.store.views import (
    ModelRow,
    chunk_view,
    jobs_by_batch,
    jobs_view,
    model_view,
    staged_by_batch,
    waiting,
)
from daemon.adapters.tables import chunks, jobs, models
from schemas.models import base_model

PARKED = frozenset({Gate.NO_ROOM, Gate.PAUSED, Gate.BLOCKED})


class Slots:
    """The gates a chunk passes, and who is next."""

    database: Database

    def open_staging(self, held: Held, slots: int, stage_ahead: int, now: datetime) -> Gate:
        """Move a chunk to PREPARING if there is a stage place; otherwise park it."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            view = model_view(connection, row, now)
            answer = gate.may_stage(chunk_view(connection, held.id, now), view, slots, stage_ahead)
            if answer is Gate.OPEN:
                which = chunks.c.chunk_id == held.id
                move_chunk(connection, which, ChunkState.PREPARING, preparing_at=now, wake_after=None)
            return _parked(connection, held, answer)

    def claim_slot(self, held: Held, name: str, token: str, slots: int, now: datetime) -> Gate:
        """Insert the chunk's job row if a slot is free; otherwise park it."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            chunk = chunk_view(connection, held.id, now)
            answer = gate.may_claim(chunk, jobs_view(connection, row), slots, now)
            if answer is Gate.OPEN and not chunk.claimed:
                claim = {"chunk_id": held.id, "base_model": row.model, "name": name, "token": token}
                connection.execute(insert(jobs).values(**claim, claimed_at=now))
            return _parked(connection, held, answer)

    def give_slot_back(self, held: Held, why: str, now: datetime, *, block: bool) -> None:
        """Delete the job row; with ``block`` the model rests and the chunk parks."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            connection.execute(delete(jobs).where(jobs.c.chunk_id == held.id, jobs.c.arn.is_(None)))
            note = update(chunks).where(chunks.c.chunk_id == held.id)
            connection.execute(note.values(last_error=why, last_error_at=now))
            if block:
                _block(connection, row, now)
                let_go(connection, held)

    def next_up(self, model: str, slots: int, stage_ahead: int, now: datetime) -> Sequence[str]:
        """Return the waiting chunks that could move now, best first."""
        base = base_model(model)
        with self.database.read() as connection:
            view = model_view(connection, _read_model(connection, base), now)
            if view.paused or (view.blocked_until and now < view.blocked_until):
                return ()
            in_use, staged_of = jobs_by_batch(connection, base), staged_by_batch(connection, base)
            room, at_work = stage_ahead + slots, gate.at_work(in_use, staged_of)
            return gate.choose(
                waiting(connection, base, ChunkState.READY, in_use, room=room, now=now),
                waiting(connection, base, ChunkState.PLANNED, at_work, room=room, now=now),
                view,
                in_use,
                staged_of,
                slots=slots,
                stage_ahead=stage_ahead,
                now=now,
            )

    def pause(self, model: str, reason: str, now: datetime) -> None:
        """Stop the submissions of a model, or of all with ``*``."""
        with self.database.write() as connection:
            base = lock_model(connection, base_model(model)).model
            pause = update(models).where(models.c.model == base)
            connection.execute(pause.values(paused_reason=reason, paused_at=now))

    def resume(self, model: str) -> bool:
        """Allow submissions again, and count failures in a row from nought."""
        with self.database.write() as connection:
            base = lock_model(connection, base_model(model)).model
            paused = and_(models.c.model == base, models.c.paused_reason.is_not(None))
            values = {"paused_reason": None, "paused_at": None, "failed_in_a_row": 0}
            return bool(connection.execute(update(models).where(paused).values(values)).rowcount)

    def streak(self, model: str) -> int:
        """Return how many chunks in a row failed as a whole."""
        asked = select(models.c.failed_in_a_row).where(models.c.model == base_model(model))
        with self.database.read() as connection:
            return connection.execute(asked).scalar_one_or_none() or 0


def model_of(connection: Connection, chunk_id: str) -> str:
    """Return a chunk's base model, which never changes; empty for an unknown chunk."""
    asked = select(chunks.c.base_model).where(chunks.c.chunk_id == chunk_id)
    return connection.execute(asked).scalar_one_or_none() or ""


def lock_model(connection: Connection, base: str) -> ModelRow:
    """Lock the row of a base model, and the row that speaks for all; always before any chunk's."""
    names = {ALL_MODELS, base}
    asked = select(models).where(models.c.model.in_(sorted(names))).order_by(models.c.model).with_for_update()
    found = connection.execute(asked).all()
    if len(found) < len(names):
        blank = {"block_seconds": 0, "failed_in_a_row": 0}
        insert_new(connection, models, [{"model": name, **blank} for name in sorted(names)])
        found = connection.execute(asked).all()
    return _model_row(found, base)


def end_block(connection: Connection, base: str) -> None:
    """Let all chunks of a model go again: a create succeeded."""
    freed = update(models).where(models.c.model == base, models.c.blocked_until.is_not(None))
    connection.execute(freed.values(blocked_until=None, block_seconds=0))


def _read_model(connection: Connection, base: str) -> ModelRow:
    return _model_row(
        connection.execute(select(models).where(models.c.model.in_([ALL_MODELS, base]))).all(), base
    )


def _model_row(found: Sequence[Row[Any]], base: str) -> ModelRow:
    rows = {row.model: row for row in found}
    mine = rows.get(base)
    return ModelRow(
        base,
        any(row.paused_reason is not None for row in rows.values()),
        mine.blocked_until if mine else None,
        mine.block_seconds if mine else 0,
    )


def _block(connection: Connection, row: ModelRow, now: datetime) -> None:
    """Block a model; of several refusals at the same moment only the first counts."""
    if row.blocked_until is not None and now < row.blocked_until:
        return
    seconds = gate.next_block(row.block_seconds)
    until = now + timedelta(seconds=seconds)
    blocked = update(models).where(models.c.model == row.model)
    connection.execute(blocked.values(blocked_until=until, block_seconds=seconds))


def _parked(connection: Connection, held: Held, answer: Gate) -> Gate:
    if answer in PARKED:
        let_go(connection, held)
    return answer
