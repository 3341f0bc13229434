"""What a person is told of a model's end and of a price's age, and from which day on."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from consumers.core.model_dates import warnings
from schemas.models import Model, ModelTable, Price

END = date(2027, 6, 30)
PRICE = Price(Decimal(1), Decimal(1), Decimal(2), Decimal(2), since=date(2026, 11, 1))
MODEL = Model("us.vendor.m", "vendor.m", (), 1000)


def told(model: Model, today: date) -> str:
    return "; ".join(warnings(ModelTable((model,)), today))


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (61, ""),
        (60, "us.vendor.m ends on 2027-06-30, in 60 days"),
        (15, "us.vendor.m ends on 2027-06-30, in 15 days"),
        (14, "us.vendor.m ends on 2027-06-30, in 14 days; move on now"),
        (1, "us.vendor.m ends on 2027-06-30, in 1 days; move on now"),
        (0, "us.vendor.m has ended on 2027-06-30: no job of it can succeed"),
    ],
)
def test_an_end_is_told_sixty_days_before_and_more_urgently_two_weeks_before(days: int, says: str) -> None:
    assert told(replace(MODEL, ends_on=END), END - timedelta(days=days)) == says


@pytest.mark.parametrize(("days", "old"), [(180, False), (181, True)])
def test_a_price_is_old_after_half_a_year_without_a_look(days: int, old: bool) -> None:
    noted = replace(MODEL, prices=(PRICE,))
    looked_at = replace(MODEL, prices=(replace(PRICE, checked_on=date(2027, 3, 1)),))
    for model in (noted, looked_at):
        assert bool(told(model, model.prices[0].known_on + timedelta(days=days))) is old


def test_of_what_is_unknown_nothing_is_told() -> None:
    assert told(MODEL, END) == ""
