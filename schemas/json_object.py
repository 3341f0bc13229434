"""From text to a JSON object that can be stored and sent on, or to what stands in the way."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.wording import place, short

DEEPEST = 50
LONGEST_NUMBER = 100
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"


class BadJson(ValueError):
    """Why a text is no object we can take; ``code`` is for machines, ``fields`` is what could be read."""

    def __init__(self, code: str, message: str, fields: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields or {}


@dataclass(frozen=True, slots=True)
class _Flaw:
    """What stands where a value cannot be taken; ``why`` goes on after the name of the field."""

    why: str
    code: str = "invalid_json"
    field: str | None = None


def read_object(text: str) -> dict[str, object]:
    """Read one JSON object; raises BadJson, which names the field and what to do.

    Refused although Python would read it: a name that stands twice in an object, NaN and infinities, numbers
    longer than 100 digits, values nested deeper than 50 levels, NUL and halves of surrogate pairs: no sender
    means these, and no database or JSON reader down the way is sure to take them.
    """
    value = _read(text)
    path: list[str | int] = []
    flaw = _find(value, path)
    if flaw is not None:
        where = [*path, flaw.field] if flaw.field is not None else path
        fields = value if isinstance(value, dict) else None
        raise BadJson(flaw.code, f'Field "{place(where) or "body"}" {flaw.why}.', fields)
    if not isinstance(value, dict):
        raise BadJson("invalid_json", f"The body is {short(value)}, not an object. Send one JSON object.")
    return value


def _read(text: str) -> object:
    if not text.strip():
        raise BadJson("invalid_json", "The body is empty. Send one JSON object.")
    if text.startswith(_BYTE_ORDER_MARK):
        why = "The body begins with a byte-order mark. Write it as UTF-8 without one."
        raise BadJson("invalid_json", why)
    try:
        return json.loads(
            text,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_fraction,
            object_pairs_hook=_object,
        )
    except RecursionError:
        why = f"The body is nested more than {DEEPEST} levels deep. Flatten it."
        raise BadJson("invalid_json", why) from None
    except ValueError as error:
        raise BadJson("invalid_json", f"The body is not JSON: {error}. Send one JSON object.") from None


def _constant(name: str) -> _Flaw:
    return _Flaw(f"is {name}, which is no number in JSON: write a number, or null")


def _whole(digits: str) -> int | _Flaw:
    return int(digits) if len(digits) <= LONGEST_NUMBER else _too_long(digits)


def _fraction(digits: str) -> float | _Flaw:
    if len(digits) > LONGEST_NUMBER:
        return _too_long(digits)
    number = float(digits)
    return number if math.isfinite(number) else _Flaw(f"is {digits}, too great a number: lower it")


def _too_long(digits: str) -> _Flaw:
    return _Flaw(f"is a number of {len(digits)} characters, over the limit of {LONGEST_NUMBER}: shorten it")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    times = Counter(name for name, _ in pairs)
    twice = next(name for name, count in times.items() if count > 1)
    return _Flaw("stands twice in its object: keep one of the two", field=twice)


def _find(value: object, path: list[str | int]) -> _Flaw | None:
    """Find the first value that cannot be taken; ``path`` is left at its place, else as it was."""
    match value:
        case str():
            return None if _is_storable(value) else _unstorable()
        case _Flaw():
            return value
        case dict() | list() if len(path) >= DEEPEST:
            return _Flaw(f"is nested more than {DEEPEST} levels deep: flatten it")
        case dict():
            return _find_in_object(value, path)
        case list():
            return _find_in_list(value, path)
        case _:
            return None


def _find_in_object(value: dict[str, object], path: list[str | int]) -> _Flaw | None:
    for name, each in value.items():
        path.append(name)
        flaw = _find(each, path) if _is_storable(name) else _unstorable()
        if flaw is not None:
            return flaw
        path.pop()
    return None


def _find_in_list(value: list[object], path: list[str | int]) -> _Flaw | None:
    for number, each in enumerate(value):
        path.append(number)
        flaw = _find(each, path)
        if flaw is not None:
            return flaw
        path.pop()
    return None


def _is_storable(text: str) -> bool:
    return _UNSTORABLE.search(text) is None


def _unstorable() -> _Flaw:
    return _Flaw("holds a null byte or half a character: remove it", "invalid_text")
