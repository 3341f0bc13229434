"""Column types that keep a value the same on SQLite and PostgreSQL."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

USD_DIGITS = 12
_UNIT = Decimal(1).scaleb(-USD_DIGITS)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Words(TypeDecorator[str]):
    """Text; what no UTF-8 database can hold (NUL, lone surrogates) becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return plain text: enums by their value."""
        if value is None:
            return None
        text = str(value)
        if "\x00" not in text and text.isascii():
            return text
        return _UNSTORABLE.sub("\ufffd", text)


class Json(TypeDecorator[Any]):
    """JSON kept as the text that Python wrote: any value that could be read can be stored."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write JSON in ASCII."""
        return None if value is None else _encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Read JSON."""
        return None if value is None else json.loads(value)


class Time(TypeDecorator[datetime]):
    """A moment in UTC, always with its time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse times without a zone: nobody knows what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone: {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return UTC; SQLite forgets the zone, which was UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Usd(TypeDecorator[Decimal]):
    """Money in USD, exact to 12 decimals.

    PostgreSQL has NUMERIC. SQLite would make floats of it, so there it is a whole number of 10^-12 USD:
    SUM stays exact, up to nine million dollars.
    """

    impl = Numeric(38, USD_DIGITS)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose how the database at hand keeps it."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(38, USD_DIGITS))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return the whole number, or the decimal."""
        if value is None:
            return None
        exact = Decimal(value).quantize(_UNIT)
        return int(exact.scaleb(USD_DIGITS)) if dialect.name == "sqlite" else exact

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the same decimal from either database, without zeros at its end."""
        if value is None:
            return None
        amount = Decimal(value).scaleb(-USD_DIGITS) if dialect.name == "sqlite" else Decimal(value)
        short = amount.normalize()
        return short.quantize(Decimal(1)) if short == short.to_integral_value() else short
