"""May a chunk be paid for: decided on what is left of its batch's budget and of the day's."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from consumers.core.rows import Gate


@dataclass(frozen=True, slots=True)
class Purse:
    """What is left to buy with, in USD; None where there is no budget.

    ``hopes``: something of the batch is on its way to a price below its estimate, which may leave room.
    """

    batch_left: Decimal | None = None
    day_left: Decimal | None = None
    day_budget: Decimal | None = None
    hopes: bool = False


def may_pay(estimate: Decimal | None, purse: Purse) -> Gate:
    """Decide whether a chunk may be paid for: OPEN, BUDGET for later perhaps, STOPPED for never.

    With a budget, what has no known price is never bought, nor what is dearer than a whole day allows.
    """
    if purse.batch_left is None and purse.day_left is None:
        return Gate.OPEN
    if estimate is None:
        return Gate.STOPPED
    if purse.batch_left is not None and estimate > purse.batch_left:
        return Gate.BUDGET if purse.hopes else Gate.STOPPED
    if purse.day_left is not None and estimate > purse.day_left:
        return Gate.STOPPED if purse.day_budget is not None and estimate > purse.day_budget else Gate.BUDGET
    return Gate.OPEN


def left_after(left: Decimal | None, staged: Iterable[Decimal | None]) -> Decimal | None:
    """Return what staged chunks leave of a budget; one that could not be paid for takes nothing."""
    for estimate in staged:
        if left is not None and estimate is not None and estimate <= left:
            left -= estimate
    return left
