"""What a chunk may cost at a gate: what is left of its batch's budget and of the day's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, or_, select

from consumers.core import gate
from consumers.core.gate import Room
from consumers.core.purse import Purse, left_after
from daemon.adapters.store.money import day_of
from daemon.adapters.store.views import Asking, Staged, jobs_by_batch, unread_by_batch
from daemon.adapters.tables import chunks, days


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


def read_funds(
    connection: Connection, base: str, room: Room, now: datetime, staged: Sequence[Staged] = ()
) -> Funds:
    """Read what the chunks of a model are paid from."""
    return Funds(
        day_left(connection, room, now),
        room.day_budget_usd,
        gate.at_work(jobs_by_batch(connection, base), unread_by_batch(connection, base)),
        [(each.batch_id, each.estimate_usd) for each in staged],
    )


def funds_of(
    connection: Connection, base: str, asks: Asking, room: Room, now: datetime, staged: Sequence[Staged] = ()
) -> Funds:
    """Read what one chunk is paid from; nothing is read where there is no budget."""
    if asks.batch_left is None and room.day_budget_usd is None:
        return Funds()
    return read_funds(connection, base, room, now, staged)


def day_left(connection: Connection, room: Room, now: datetime) -> Decimal | None:
    """Return what is left of the day's budget, None without one."""
    if room.day_budget_usd is None:
        return None
    asked = select(days.c.committed_usd).where(days.c.day == day_of(now))
    return room.day_budget_usd - (connection.execute(asked).scalar_one_or_none() or Decimal(0))


def need_not_wait(purse: Purse) -> list[ColumnElement[bool]]:
    """Return the conditions under which ``may_pay`` does not let a chunk wait."""
    estimate, conditions = chunks.c.estimate_usd, []
    if purse.batch_left is not None and purse.hopes:
        conditions.append(or_(estimate.is_(None), estimate <= purse.batch_left))
    if purse.day_left is not None:
        never = estimate > purse.day_budget
        conditions.append(or_(estimate.is_(None), never, estimate <= purse.day_left))
    return conditions
