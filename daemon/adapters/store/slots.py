"""Slots, stage places, pauses and blocks: everything decided under the lock of the model's row."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, and_, delete, insert, select, true, update

from consumers.core import gate
from consumers.core.gate import ALL_MODELS, Room
from consumers.core.layout import parse_chunk_id
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Deed, Gate, Held, Phase, Verb
from daemon.adapters.store.auditing import add_entry, note
from daemon.adapters.store.database import Database
from daemon.adapters.store.funds import funds_of, read_funds
from daemon.adapters.store.idling import free_since
from daemon.adapters.store.leases import guard, let_go
from daemon.adapters.store.model_rows import block, lock_model, model_of, read_model
from daemon.adapters.store.money import commit_estimate, take_back
from daemon.adapters.store.moves import WORKED, move_chunk
from daemon.adapters.store.turns import waiting
from daemon.adapters.store.views import (
    asking,
    ended_later,
    jobs_by_batch,
    jobs_view,
    model_view,
    read_staged,
)
from daemon.adapters.tables import chunks, jobs, models
from schemas.models import base_model

PARKED = frozenset({Gate.NO_ROOM, Gate.PAUSED, Gate.BLOCKED, Gate.BUDGET})


class Slots:
    """The gates a chunk passes, and who is next."""

    database: Database
    actor: str

    def open_staging(self, held: Held, room: Room, now: datetime) -> Gate:
        """Move a chunk to PREPARING if there is a stage place and the money for it; otherwise park it."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            staged = read_staged(connection, row.model, now)
            view = model_view(connection, row, staged)
            asks = asking(connection, held.id, now)
            funds = funds_of(connection, row.model, asks, room, now, staged)
            purse = funds.to_stage(asks.batch_id, asks.batch_left)
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
            funds = funds_of(connection, row.model, asks, room, now)
            purse = funds.to_claim(asks.batch_id, asks.batch_left)
            view = jobs_view(connection, row)
            answer = gate.may_claim(asks.chunk, view, purse, room, now)
            if answer is Gate.OPEN and not asks.chunk.claimed:
                claim = {"chunk_id": held.id, "base_model": row.model, "name": name, "token": token}
                free = free_since(connection, held.id, view.jobs_open, room)
                connection.execute(insert(jobs).values(**claim, claimed_at=now, free_since=free))
                estimate = commit_estimate(connection, held.id, now)
                deed = job_deed(held.id, name, estimate)
                add_entry(connection, self.actor, deed, Phase.INTENT)
            return _parked(connection, held, answer)

    def give_slot_back(self, held: Held, why: str, now: datetime) -> None:
        """Delete the job row of a claim; the model rests and the chunk parks, as if it had never claimed."""
        with self.database.write() as connection:
            row = lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            free_claim(connection, held.id)
            note = update(chunks).where(chunks.c.chunk_id == held.id)
            connection.execute(note.values(last_error=why, last_error_at=now, **WORKED))
            block(connection, row, now)
            add_entry(connection, self.actor, job_deed(held.id, f"refused: {why}"), Phase.OUTCOME)
            let_go(connection, held)

    def next_up(self, model: str, room: Room, now: datetime, ended: str | None = None) -> Sequence[str]:
        """Return the waiting chunks that could move now and can be paid for, best first.

        With ``ended``, a chunk whose job did, only what that made room for.
        """
        base = base_model(model)
        with self.database.read() as connection:
            staged = read_staged(connection, base, now)
            view = model_view(connection, read_model(connection, base), staged)
            if view.paused or (view.blocked_until and now < view.blocked_until):
                return ()
            in_use = jobs_by_batch(connection, base)
            staged_of = Counter(each.batch_id for each in staged)
            funds = read_funds(connection, base, room, now, staged)
            free, at_work = view.free(room.slots), gate.at_work(in_use, staged_of)
            most = room.stage_ahead + free
            return gate.choose(
                waiting(connection, base, ChunkState.READY, in_use, funds.to_claim, free, now),
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
            note(connection, self.actor, Verb.PAUSE, base, detail=reason)

    def resume(self, model: str) -> bool:
        """Allow submissions again, of all models with ``*``, and count failures in a row from nought."""
        with self.database.write() as connection:
            base = lock_model(connection, base_model(model)).model
            named = true() if base == ALL_MODELS else models.c.model == base
            paused = and_(named, models.c.paused_reason.is_not(None))
            values = {"paused_reason": None, "paused_at": None, "failed_in_a_row": 0}
            resumed = bool(connection.execute(update(models).where(paused).values(values)).rowcount)
            if resumed:
                note(connection, self.actor, Verb.RESUME, base)
            return resumed


def job_deed(chunk_id: str, detail: str, cost: Decimal | None = None) -> Deed:
    """Return what the audit says of the one job of a chunk."""
    batch_id = parse_chunk_id(chunk_id).batch_id
    return Deed(Verb.CREATE_JOB, chunk_id, batch_id, detail, cost_usd=cost)


def free_claim(connection: Connection, chunk_id: str) -> bool:
    """Delete a claim that became no job, with what was committed to it; tells whether a job is left."""
    connection.execute(delete(jobs).where(jobs.c.chunk_id == chunk_id, jobs.c.arn.is_(None)))
    left = select(jobs.c.chunk_id).where(jobs.c.chunk_id == chunk_id)
    if connection.execute(left).first() is not None:
        return True
    take_back(connection, chunk_id)
    return False


def _parked(connection: Connection, held: Held, answer: Gate) -> Gate:
    if answer in PARKED:
        let_go(connection, held)
    return answer
