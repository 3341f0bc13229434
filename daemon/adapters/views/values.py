"""How stored values are written in JSON: times in UTC with Z, money as text, what is unknown as null."""

from datetime import UTC, datetime
from decimal import Decimal

from consumers.core.rows import Spent


def instant(moment: datetime | None) -> str | None:
    """Write a moment as ISO-8601 in UTC with Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def words(text: str) -> str | None:
    """Return a text, or None where nothing was noted."""
    return text or None


def add(*parts: Spent) -> Spent:
    """Add what was spent; one unknown cost makes the sum unknown."""
    costs = [part.cost_usd for part in parts]
    known = [cost for cost in costs if cost is not None]
    return Spent(
        sum(part.input_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        sum(known, Decimal(0)) if len(known) == len(costs) else None,
    )
