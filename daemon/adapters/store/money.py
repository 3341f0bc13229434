"""Money: what open jobs may cost and ended ones did, by batch and by day.

A chunk is committed to its estimate when it claims a slot and to its true cost when it ends. Sums over a
batch and a day (UTC) are kept with each change, under the lock of the model rows: a claim sums nothing up.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, select, update
from sqlalchemy.sql.selectable import Select

from consumers.core.rows import Held
from daemon.adapters.store.database import Database, insert
from daemon.adapters.store.leases import guard
from daemon.adapters.tables import batches, chunk_starts, chunks, days, job_open, jobs
from schemas.models import base_model

_READ: Select[Any] = select(
    chunks.c.chunk_id,
    chunks.c.batch_id,
    chunks.c.estimate_usd,
    chunks.c.committed_usd,
    chunks.c.committed_on,
).where(chunks.c.chunk_id == bindparam("id"))
_COMMIT = (
    update(chunks)
    .where(chunks.c.chunk_id == bindparam("id"))
    .values(committed_usd=bindparam("amount"), committed_on=bindparam("day"))
)
_ADD = (
    update(batches)
    .where(batches.c.batch_id == bindparam("id"))
    .values(committed_usd=batches.c.committed_usd + bindparam("more"))
)


class Money:
    """What is still to be bought."""

    database: Database

    def estimate(self, batch_id: str) -> Decimal | None:
        """Sum the estimates of the chunks that are not bought yet; None where a price is unknown."""
        unbought = and_(chunks.c.batch_id == batch_id, chunk_starts, chunks.c.committed_on.is_(None))
        unknown = func.count().filter(chunks.c.estimate_usd.is_(None))
        asked = select(func.sum(chunks.c.estimate_usd), unknown).where(unbought)
        with self.database.read() as connection:
            total, unpriced = connection.execute(asked).one()
        return None if unpriced else total or Decimal(0)

    def foresee(self, held: Held, estimate_usd: Decimal | None) -> None:
        """Store what a chunk may cost by its files as they are now."""
        foreseen = update(chunks).where(chunks.c.chunk_id == held.id, chunks.c.committed_on.is_(None))
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(foreseen.values(estimate_usd=estimate_usd))

    def backlog(self, model: str) -> int:
        """Count the chunks of a model that wait or run."""
        base = base_model(model)
        waiting = select(func.count()).where(chunks.c.base_model == base, chunk_starts)
        running = select(func.count()).where(jobs.c.base_model == base, job_open)
        with self.database.read() as connection:
            return int(connection.execute(waiting).scalar_one() + connection.execute(running).scalar_one())


def commit_estimate(connection: Connection, chunk_id: str, now: datetime) -> Decimal | None:
    """Commit a chunk that claims a slot to its estimate, on the day of the claim; returns it."""
    before = _read(connection, chunk_id)
    _commit(connection, before, before.estimate_usd, day_of(now))
    estimate: Decimal | None = before.estimate_usd
    return estimate


def commit_cost(connection: Connection, chunk_id: str, cost: Decimal | None, now: datetime) -> None:
    """Commit a chunk whose job ended to what it cost; while that is not known its estimate stands."""
    if cost is not None:
        before = _read(connection, chunk_id)
        _commit(connection, before, cost, before.committed_on or day_of(now))


def take_back(connection: Connection, chunk_id: str) -> None:
    """Forget a commitment: the chunk has no job."""
    before = _read(connection, chunk_id)
    if before.committed_on is not None:
        _commit(connection, before, None, None)


def day_of(now: datetime) -> str:
    """Name the day (UTC) that a moment belongs to."""
    return now.astimezone(UTC).date().isoformat()


def _read(connection: Connection, chunk_id: str) -> Row[Any]:
    return connection.execute(_READ, {"id": chunk_id}).one()


def _commit(connection: Connection, before: Row[Any], amount: Decimal | None, day: str | None) -> None:
    connection.execute(_COMMIT, {"id": before.chunk_id, "amount": amount, "day": day})
    more = (amount or Decimal(0)) - (before.committed_usd or Decimal(0))
    if more:
        connection.execute(_ADD, {"id": before.batch_id, "more": more})
        new = insert(connection, days).values(day=day or before.committed_on, committed_usd=more)
        total = {"committed_usd": days.c.committed_usd + new.excluded.committed_usd}
        connection.execute(new.on_conflict_do_update(index_elements=[days.c.day], set_=total))
