"""The rows of the models: the lock every gate is passed under, and what failures and proofs leave there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select, update

from consumers.core import gate
from consumers.core.gate import ALL_MODELS
from daemon.adapters.store.database import insert_new
from daemon.adapters.tables import chunks, models

_BASE = select(chunks.c.base_model).where(chunks.c.chunk_id == bindparam("id"))
_READ = select(models).where(models.c.model.in_([ALL_MODELS, bindparam("base")]))
_LOCK = _READ.order_by(models.c.model).with_for_update()


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The row of a base model, with what holds for all models."""

    model: str
    paused: bool
    blocked_until: datetime | None
    block_seconds: int
    proven: bool
    failed: int


def model_of(connection: Connection, chunk_id: str) -> str:
    """Return a chunk's base model, which never changes; empty for an unknown chunk."""
    return connection.execute(_BASE, {"id": chunk_id}).scalar_one_or_none() or ""


def lock_model(connection: Connection, base: str) -> ModelRow:
    """Lock the row of a base model, and the row that speaks for all; always before any chunk's."""
    names = {ALL_MODELS, base}
    found = connection.execute(_LOCK, {"base": base}).all()
    if len(found) < len(names):
        blank = {"block_seconds": 0, "failed_in_a_row": 0}
        insert_new(connection, models, [{"model": name, **blank} for name in sorted(names)])
        found = connection.execute(_LOCK, {"base": base}).all()
    return _model_row(found, base)


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


def let_probe(connection: Connection, base: str, now: datetime) -> None:
    """End the wait of a block: a job of ours has ended, so one chunk finds room if others took no more."""
    waits = and_(models.c.model == base, models.c.blocked_until > now)
    connection.execute(update(models).where(waits).values(blocked_until=now))


def read_model(connection: Connection, base: str) -> ModelRow:
    """Read the row of a base model, and the row that speaks for all, without a lock."""
    return _model_row(connection.execute(_READ, {"base": base}).all(), base)


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


def block(connection: Connection, row: ModelRow, now: datetime) -> None:
    """Block a model; of several refusals at the same moment only the first counts."""
    if row.blocked_until is not None and now < row.blocked_until:
        return
    seconds = gate.next_block(row.block_seconds)
    until = now + timedelta(seconds=seconds)
    blocked = update(models).where(models.c.model == row.model)
    connection.execute(blocked.values(blocked_until=until, block_seconds=seconds))
