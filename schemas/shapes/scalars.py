"""Readers of single values: text, numbers, flags, fixed sets, and JSON of any form."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.shapes.notes import Notes
from schemas.shapes.reader import NOTHING, Reader
from schemas.shapes.text import storable

_DEEPEST = 32
_LARGEST = 2**63
_FLAGS: Mapping[str, bool] = {"true": True, "yes": True, "false": False, "no": False}


class Scalar(Reader):
    """Reads a value that has no parts, by `of`."""

    def of(self, value: Any) -> Any:
        """Return the value as the type wants it, or NOTHING."""
        raise NotImplementedError

    def mend(self, value: Any, _path: str, _notes: Notes) -> Any:
        """Return what `of` makes of the value."""
        return self.of(value)


@dataclass(frozen=True, slots=True)
class Words(Scalar):
    """Text; numbers become text, a list of texts becomes one text."""

    pattern: re.Pattern[str] | None = None

    def read(self, value: Any, path: str, notes: Notes) -> Any:
        """Read plain text, by far the commonest value, without detours."""
        if type(value) is str and self.pattern is None:
            return storable(value)
        return Reader.read(self, value, path, notes)

    def of(self, value: Any) -> Any:
        """Return the text, if it is of the wanted form."""
        text = _text(value)
        if text is NOTHING or (self.pattern is not None and not self.pattern.search(text)):
            return NOTHING
        return storable(text)


@dataclass(frozen=True, slots=True)
class Mended(Scalar):
    """Text of a fixed form with its own mending, such as a time."""

    by: Callable[[object], str | None]

    def of(self, value: Any) -> Any:
        """Return the well-formed text."""
        text = self.by(value)
        return NOTHING if text is None else text


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A number within its bounds; text that is a number becomes one. A missing number is null, never 0."""

    low: float
    high: float
    whole: bool

    def empty(self) -> None:
        """Return null: 0 would be an invention."""

    def of(self, value: Any) -> Any:
        """Return the number, if it is finite, within the bounds and, where asked for, whole."""
        number = _number(value)
        if number is None or not self.low <= number <= self.high:
            return NOTHING
        if not self.whole:
            return float(number)
        return int(number) if number == math.floor(number) and abs(number) < _LARGEST else NOTHING


class Flag(Scalar):
    """True or false; a missing flag is null, never false."""

    def empty(self) -> None:
        """Return null: false would be an invention."""

    def of(self, value: Any) -> Any:
        """Return the flag; yes and no are understood."""
        if isinstance(value, str):
            return _FLAGS.get(value.strip().lower(), NOTHING)
        return value if isinstance(value, bool) else NOTHING


class Choice(Reader):
    """One of a set of texts; capitals, spaces and punctuation do not matter."""

    def __init__(self, values: Sequence[str]) -> None:
        self._exact = frozenset(values)
        self._by_fold = {_fold(value): value for value in values}
        self._unknown = self._by_fold.get("unknown", "")

    def empty(self) -> str:
        """Return the set's own word for unknown, where it has one."""
        return self._unknown

    def read(self, value: Any, path: str, notes: Notes) -> Any:
        """Read a value that stands in the set, without detours."""
        if type(value) is str and value in self._exact:
            return value
        return Reader.read(self, value, path, notes)

    def mend(self, value: Any, path: str, notes: Notes) -> Any:
        """Return the value of the set; one outside becomes the set's Unknown and is noted."""
        if not isinstance(value, str) or not value.strip():
            return NOTHING
        found = value if value in self._exact else self._by_fold.get(_fold(value), "")
        if not found and self._unknown:
            notes.outside.append(path)
        return found or self._unknown or NOTHING


class Anything(Scalar):
    """Any JSON value, as it came, as far as it can be stored."""

    def empty(self) -> None:
        """Return null."""

    def of(self, value: Any) -> Any:
        """Return the value without what JSON or a database cannot hold."""
        return _storable_json(value, _DEEPEST)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return NOTHING if _number(value) is None else str(value)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    return NOTHING


def _number(value: Any) -> int | float | None:
    """Return a finite number; whole numbers stay exact as far as 64 bits go."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        as_float = float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(as_float):
        return None
    return value if isinstance(value, int) and -_LARGEST <= value < _LARGEST else as_float


def _fold(text: str) -> str:
    return " ".join(re.split(r"[\W_]+", text.casefold())).strip()


def _storable_json(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if depth and isinstance(value, list):
        return [_storable_json(each, depth - 1) for each in value]
    if depth and isinstance(value, dict):
        return {storable(str(key)): _storable_json(each, depth - 1) for key, each in value.items()}
    return None
