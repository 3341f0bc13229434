"""Slots, stage places, pauses and blocks: everything decided under the lock of the model's row."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, true, update

from consumers.core import gate
from consumers.core.gate import ALL_MODELS, Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Gate, Held
from daemon.adapters.store.database import Database, insert_new
from daemon.adapters.store.idling import free_since
from daemon.adapters.store.leases import guard, let_go
from daemon.adapters.store.money import commit_estimate, take_back
from daemon.adapters.store.moves import move_chunk
from daemon.adapters.store.views import (
    ModelRow,
    asking,
    ended_later,
    jobs_by_batch,
    jobs_view,
    model_view,
    purse_to_claim,
    purse_to_stage,
    read_funds,
    read_staged,
    waiting,
)
from daemon.adapters.tables import chunks, jobs, models
from schemas.models import base_model

PARKED = frozenset({Gate.NO_ROOM, Gate.PAUSED, Gate.BLOCKED, Gate.BUDGET})


class Slots:
    """The gates a chunk passes, and who is next."""

    database: Database

    def open_staging(self, held: Held, room: Room, now: datetime) -> Gate:
        """Move a chunk to PREPARING if there is a stage place and the money for it; otherwise park it."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            staged = read_staged(connection, row.model, now)
            view = model_view(connection, row, staged)
            asks = asking(connection, held.id, now)
            purse = purse_to_stage(connection, row.model, asks, room, now, staged)
            answer = gate.may_stage(asks.chunk, view, purse, room)
            if answer is Gate.OPEN:
                which = chunks.c.chunk_id == held.id
                move_chunk(connection, which, ChunkState.PREPARING, preparing_at=now, wake_after=None)
            return _parked(connection, held, answer)

    def claim_slot(self, held: Held, name: str, token: str, room: Room, now: datetime) -> Gate:
        """Insert the chunk's job row if a slot is free and it can be paid for; otherwise park it."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            asks = asking(connection, held.id, now)
            purse = purse_to_claim(connection, row.model, asks, room, now)
            view = jobs_view(connection, row)
            answer = gate.may_claim(asks.chunk, view, purse, room, now)
            if answer is Gate.OPEN and not asks.chunk.claimed:
                claim = {"chunk_id": held.id, "base_model": row.model, "name": name, "token": token}
                free = free_since(connection, held.id, view.jobs_open, room)
                connection.execute(insert(jobs).values(**claim, claimed_at=now, free_since=free))
                commit_estimate(connection, held.id, now)
            return _parked(connection, held, answer)

    def give_slot_back(self, held: Held, why: str, now: datetime) -> None:
        """Delete the job row of a claim; the model rests and the chunk parks."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            free_claim(connection, held.id)
            note = update(chunks).where(chunks.c.chunk_id == held.id)
            connection.execute(note.values(last_error=why, last_error_at=now))
            _block(connection, row, now)
            let_go(connection, held)

    def next_up(self, model: str, room: Room, now: datetime, ended: str | None = None) -> Sequence[str]:
        """Return the waiting chunks that could move now and can be paid for, best first.

        With ``ended``, a chunk whose job did, only what that made room for.
        """
        base = base_model(model)
        with self.database.read() as connection:
            staged = read_staged(connection, base, now)
            view = model_view(connection, _read_model(connection, base), staged)
            if view.paused or (view.blocked_until and now < view.blocked_until):
                return ()
            in_use = jobs_by_batch(connection, base)
            staged_of = Counter(each.batch_id for each in staged)
            funds = read_funds(connection, base, room, now, staged)
            most, at_work = room.stage_ahead + room.slots, gate.at_work(in_use, staged_of)
            return gate.choose(
                waiting(connection, base, ChunkState.READY, in_use, funds.to_claim, most, now),
                waiting(connection, base, ChunkState.PLANNED, at_work, funds.to_stage, most, now),
                view,
                in_use,
                staged_of,
                room=room,
                now=now,
                later=None if ended is None else ended_later(connection, base, ended),
            )

    def pause(self, model: str, reason: str, now: datetime) -> None:
        """Stop the submissions of a model, or of all with ``*``."""
        with self.database.write() as connection:
            base = lock_model(connection, base_model(model)).model
            pause = update(models).where(models.c.model == base)
            connection.execute(pause.values(paused_reason=reason, paused_at=now))

    def resume(self, model: str) -> bool:
        """Allow submissions again, of all models with ``*``, and count failures in a row from nought."""
        with self.database.write() as connection:
            base = lock_model(connection, base_model(model)).model
            named = true() if base == ALL_MODELS else models.c.model == base
            paused = and_(named, models.c.paused_reason.is_not(None))
            values = {"paused_reason": None, "paused_at": None, "failed_in_a_row": 0}
            return bool(connection.execute(update(models).where(paused).values(values)).rowcount)


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


def free_claim(connection: Connection, chunk_id: str) -> bool:
    """Delete a claim that became no job, with what was committed to it; tells whether a job is left."""
    connection.execute(delete(jobs).where(jobs.c.chunk_id == chunk_id, jobs.c.arn.is_(None)))
    left = select(jobs.c.chunk_id).where(jobs.c.chunk_id == chunk_id)
    if connection.execute(left).first() is not None:
        return True
    take_back(connection, chunk_id)
    return False


def prove(connection: Connection, base: str) -> None:
    """Note that a job of a model got past validation."""
    unproven = update(models).where(models.c.model == base, ~models.c.proven)
    connection.execute(unproven.values(proven=True))


def count_failure(connection: Connection, base: str, reason: str, now: datetime) -> str | None:
    """Count a chunk that failed as a whole; returns why the model pauses itself now, if it does."""
    which = models.c.model == base
    counted = update(models).where(which)
    counted = counted.values(failed_in_a_row=models.c.failed_in_a_row + 1, proven=False)
    connection.execute(counted)
    asked = select(models.c.failed_in_a_row).where(which, models.c.paused_reason.is_(None))
    failed = connection.execute(asked).scalar_one_or_none()
    why = None if failed is None else gate.pause_reason(failed, reason)
    if why is not None:
        connection.execute(update(models).where(which).values(paused_reason=why, paused_at=now))
    return why


def count_success(connection: Connection, base: str) -> None:
    """Begin to count failures in a row from nought."""
    connection.execute(update(models).where(models.c.model == base).values(failed_in_a_row=0))


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
        mine.proven if mine else False,
        mine.failed_in_a_row if mine else 0,
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
