from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.cost import cost, money, on_demand_cost
from schemas.models import Model, load_models

DAY = date(2026, 11, 20)
TOKENS = st.integers(0, 10**12)


def model(name: str = "nova-2-lite") -> Model:
    found = load_models().find(name)
    assert found is not None
    return found


def test_a_record_costs_its_tokens_at_the_batch_rate() -> None:
    assert cost(model(), 2980, 1024, DAY) == Decimal("0.0018997")
    assert on_demand_cost(model(), 2980, 1024, DAY) == Decimal("0.0037994")


def test_an_unknown_price_is_an_unknown_cost_and_never_zero() -> None:
    free = Model("x.y", "x.y", (), 4096)
    assert cost(free, 2980, 1024, DAY) is None
    assert on_demand_cost(free, 2980, 1024, DAY) is None


@pytest.mark.parametrize(("tokens_in", "tokens_out"), [(None, 1), (1, None), (None, None)])
def test_unknown_tokens_are_an_unknown_cost(tokens_in: int | None, tokens_out: int | None) -> None:
    assert cost(model(), tokens_in, tokens_out, DAY) is None


@given(TOKENS, TOKENS)
def test_no_cost_is_ever_rounded(tokens_in: int, tokens_out: int) -> None:
    exact = (tokens_in * Fraction("0.165") + tokens_out * Fraction("1.375")) / 1_000_000
    batch, on_demand = (
        cost(model(), tokens_in, tokens_out, DAY),
        on_demand_cost(model(), tokens_in, tokens_out, DAY),
    )
    assert batch is not None
    assert Fraction(batch) == exact
    assert on_demand == 2 * batch


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, None),
        (Decimal("0E-10"), "0"),
        (Decimal("-0"), "0"),
        (Decimal("25.00"), "25"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("0.01234500"), "0.012345"),
        (Decimal("100"), "100"),
    ],
)
def test_money_is_a_plain_decimal_string(amount: Decimal | None, text: str | None) -> None:
    assert money(amount) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_money_loses_nothing(amount: Decimal) -> None:
    text = money(amount)
    assert text is not None
    assert Decimal(text) == amount
    assert "E" not in text
