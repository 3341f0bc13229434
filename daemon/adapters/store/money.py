"""Money: what open jobs may cost and ended ones did, by batch and by day, and what that leaves to buy with.

A chunk is committed to its estimate when it claims a slot and to its true cost when it ends. Sums over a
batch and a day (UTC) are kept with each change, under the lock of the model rows: a claim sums nothing up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from consumers.core.gate import Purse, Room, left_after
from daemon.adapters.store.database import Database, insert
from daemon.adapters.tables import batches, chunk_starts, chunks, days, job_open, jobs
from schemas.models import base_model


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

    def backlog(self, model: str) -> int:
        """Count the chunks of a model that wait or run."""
        base = base_model(model)
        waiting = select(func.count()).where(chunks.c.base_model == base, chunk_starts)
        running = select(func.count()).where(jobs.c.base_model == base, job_open)
        with self.database.read() as connection:
            return int(connection.execute(waiting).scalar_one() + connection.execute(running).scalar_one())


def commit_estimate(connection: Connection, chunk_id: str, now: datetime) -> None:
    """Commit a chunk that claims a slot to its estimate, on the day of the claim."""
    asked = select(chunks.c.estimate_usd).where(chunks.c.chunk_id == chunk_id)
    _commit(connection, chunk_id, connection.execute(asked).scalar_one(), day_of(now))


def commit_cost(connection: Connection, chunk_id: str, cost: Decimal | None, now: datetime) -> None:
    """Commit a chunk whose job ended to what it cost; while that is not known its estimate stands."""
    if cost is not None:
        asked = select(chunks.c.committed_on).where(chunks.c.chunk_id == chunk_id)
        _commit(connection, chunk_id, cost, connection.execute(asked).scalar_one() or day_of(now))


def take_back(connection: Connection, chunk_id: str) -> None:
    """Forget a commitment: the chunk has no job."""
    _commit(connection, chunk_id, None, None)


def day_of(now: datetime) -> str:
    """Name the day (UTC) that a moment belongs to."""
    return now.astimezone(UTC).date().isoformat()


def _commit(connection: Connection, chunk_id: str, amount: Decimal | None, day: str | None) -> None:
    which = chunks.c.chunk_id == chunk_id
    asked = select(chunks.c.batch_id, chunks.c.committed_usd, chunks.c.committed_on).where(which)
    old = connection.execute(asked).one()
    if (old.committed_usd, old.committed_on) == (amount, day):
        return
    connection.execute(update(chunks).where(which).values(committed_usd=amount, committed_on=day))
    more = (amount or Decimal(0)) - (old.committed_usd or Decimal(0))
    if more:
        batch = update(batches).where(batches.c.batch_id == old.batch_id)
        connection.execute(batch.values(committed_usd=batches.c.committed_usd + more))
        new = insert(connection, days).values(day=day or old.committed_on, committed_usd=more)
        total = {"committed_usd": days.c.committed_usd + new.excluded.committed_usd}
        connection.execute(new.on_conflict_do_update(index_elements=[days.c.day], set_=total))


@dataclass(frozen=True, slots=True)
class Funds:
    """What a model's chunks are paid from.

    ``on_the_way`` counts, by batch, the chunks whose true cost is open yet. ``staged`` names batch and
    estimate of the staged chunks, in the order in which they will be bought.
    """

    day_left: Decimal | None = None
    day_budget: Decimal | None = None
    on_the_way: Mapping[str, int] = field(default_factory=dict)
    staged: Sequence[tuple[str, Decimal | None]] = ()

    def to_claim(self, batch_id: str, batch_left: Decimal | None) -> Purse:
        """Return what a chunk that asks for a slot may cost."""
        hopes = self.on_the_way.get(batch_id, 0) > 0
        return Purse(batch_left, self.day_left, self.day_budget, hopes)

    def to_stage(self, batch_id: str, batch_left: Decimal | None) -> Purse:
        """Return what a chunk that asks for a stage place may cost: what is staged is bought first."""
        mine = [estimate for batch, estimate in self.staged if batch == batch_id]
        return Purse(
            left_after(batch_left, mine),
            left_after(self.day_left, [estimate for _, estimate in self.staged]),
            self.day_budget,
            hopes=bool(mine) or self.on_the_way.get(batch_id, 0) > 0,
        )


def day_left(connection: Connection, room: Room, now: datetime) -> Decimal | None:
    """Return what is left of the day's budget, None without one."""
    if room.day_budget_usd is None:
        return None
    asked = select(days.c.committed_usd).where(days.c.day == day_of(now))
    return room.day_budget_usd - (connection.execute(asked).scalar_one_or_none() or Decimal(0))


def need_not_wait(purse: Purse) -> list[ColumnElement[bool]]:
    """Return the conditions under which ``gate.may_pay`` does not let a chunk wait."""
    estimate, conditions = chunks.c.estimate_usd, []
    if purse.batch_left is not None and purse.hopes:
        conditions.append(or_(estimate.is_(None), estimate <= purse.batch_left))
    if purse.day_left is not None:
        never = estimate > purse.day_budget
        conditions.append(or_(estimate.is_(None), never, estimate <= purse.day_left))
    return conditions
