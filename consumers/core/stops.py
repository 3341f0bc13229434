"""Why no more of a batch is bought, in words that say what to do."""

from decimal import Decimal

from consumers.core.cost import money
from consumers.core.gate import Room
from consumers.core.rows import Batch, CanaryCount

BUDGET_EXCEEDED = "budget_exceeded"
OWN_BUDGET = "its budget_usd of"
"""What is said of every batch that its own budget stops, and of no other."""


def over_budget(batch: Batch, estimate: Decimal | None) -> str | None:
    """Say why a planned batch is not begun, if its estimate exceeds its budget or is unknown."""
    if batch.budget_usd is None:
        return None
    if estimate is None:
        return f"{_unknown(batch)} Nothing was bought."
    if estimate <= batch.budget_usd:
        return None
    return (
        f"The batch may cost up to {money(estimate)} USD, more than {OWN_BUDGET} "
        f"{money(batch.budget_usd)} USD. Nothing was bought. Send fewer files, allow fewer tokens "
        "(options.max_tokens), or use a new request_id with a higher budget_usd."
    )


def used_up(batch: Batch, estimate: Decimal | None, room: Room) -> str:
    """Say why a chunk of this estimate is not bought, nor any behind it."""
    if estimate is None:
        return _unknown(batch)
    if batch.budget_usd is not None and estimate > batch.budget_usd - batch.committed_usd:
        return (
            f"Of {OWN_BUDGET} {money(batch.budget_usd)} USD {money(batch.committed_usd)} USD are spent, "
            f"and the next chunk may cost up to {money(estimate)} USD. Use a new request_id with a higher "
            "budget_usd: results that are there are reused."
        )
    return (
        f"The next chunk may cost up to {money(estimate)} USD, more than BUDGET_USD_PER_DAY of "
        f"{money(room.day_budget_usd)} USD allows on any day. Raise it, or lower MAX_FILES_PER_CHUNK; then "
        f"`novabatch retry {batch.batch_id}` sends the rest."
    )


def bad_canary(batch: Batch, count: CanaryCount, ratio: float) -> str:
    """Say what the first chunks came to, and how to go on."""
    return (
        f"Of the {count.records} records of the first chunks ({batch.canary}) {count.good} succeeded, fewer "
        f"than MIN_SUCCESS_RATIO ({ratio:g}) asks for. Look at their results; "
        f"`novabatch retry {batch.batch_id}` sends the rest."
    )


def is_good_enough(count: CanaryCount, ratio: float) -> bool:
    """Tell whether the first chunks succeeded well enough; without a record nothing speaks against it."""
    return count.good >= Decimal(str(ratio)) * count.records


def _unknown(batch: Batch) -> str:
    return (
        f"The price of {batch.model} is unknown, so no budget can be kept. Add its prices to MODELS_FILE, "
        "or use no budget."
    )
