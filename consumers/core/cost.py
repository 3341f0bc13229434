"""What tokens cost, in USD, exactly: nothing is rounded and what is not known stays unknown."""

from datetime import date
from decimal import Decimal

from schemas.models import Model


def cost(model: Model, tokens_in: int | None, tokens_out: int | None, on: date) -> Decimal | None:
    """Return the price of tokens at the batch rate of that day; None where price or tokens are unknown."""
    price = model.price_on(on)
    if price is None:
        return None
    return _sum(tokens_in, price.input_per_million, tokens_out, price.output_per_million)


def on_demand_cost(model: Model, tokens_in: int | None, tokens_out: int | None, on: date) -> Decimal | None:
    """Return what the same tokens would have cost on demand; None where price or tokens are unknown."""
    price = model.price_on(on)
    if price is None:
        return None
    return _sum(tokens_in, price.on_demand_input_per_million, tokens_out, price.on_demand_output_per_million)


def money(amount: Decimal | None) -> str | None:
    """Write an amount as a plain decimal string, without exponent or trailing zeros; unknown is None."""
    if amount is None:
        return None
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def _sum(
    tokens_in: int | None, price_in: Decimal, tokens_out: int | None, price_out: Decimal
) -> Decimal | None:
    if tokens_in is None or tokens_out is None:
        return None
    return (tokens_in * price_in + tokens_out * price_out).scaleb(-6)
