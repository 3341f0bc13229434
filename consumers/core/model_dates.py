"""Dates of models that a person should know of: an end that comes near, a price that nobody looked at."""

from collections.abc import Iterator
from datetime import date, timedelta

from schemas.models import Model, ModelTable

ENDS_SOON, ENDS_VERY_SOON = timedelta(days=60), timedelta(days=14)
OLD_PRICE = timedelta(days=180)


def warnings(table: ModelTable, today: date) -> Iterator[str]:
    """Say of each model whether its end is near and whether its price is old; nothing of what is unknown."""
    for model in table.models:
        yield from _end(model, today)
        yield from _price(model, today)


def _end(model: Model, today: date) -> Iterator[str]:
    if model.ends_on is None or (left := model.ends_on - today) > ENDS_SOON:
        return
    if left.days <= 0:
        yield f"{model.id} has ended on {model.ends_on}: no job of it can succeed"
    else:
        haste = "; move on now" if left <= ENDS_VERY_SOON else ""
        yield f"{model.id} ends on {model.ends_on}, in {left.days} days{haste}"


def _price(model: Model, today: date) -> Iterator[str]:
    price = model.price_on(today)
    if price is not None and (age := today - price.known_on) > OLD_PRICE:
        yield f"the price of {model.id} was last known to be right on {price.known_on}, {age.days} days ago"
