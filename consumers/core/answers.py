"""The model's text: finding the JSON in it, and repairing it where it is broken."""

import json
import re
from dataclasses import dataclass
from typing import Any

import json_repair
import msgspec

_FENCE = "```"
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.?))', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer: a JSON object or list; `repaired` where the text was not JSON as it came."""

    value: dict[str, Any] | list[Any]
    repaired: bool


def without_fence(text: str) -> str:
    """Return what stands between the first code fence and the last, if the text does not begin as JSON."""
    text = text.strip()
    if text.startswith(("{", "[")):
        return text
    _, fence, inner = text.partition(_FENCE)
    if not fence:
        return text
    inner = inner.removeprefix("json").removeprefix("JSON")
    return inner.rpartition(_FENCE)[0].strip() if _FENCE in inner else inner.strip()


def parse_answer(body: str) -> Answer | None:
    """Return the JSON in a model's text, or None where there is no object or list to be found.

    `body` is the text without its code fence. Tried in turn: the whole of it; the part between the
    outermost braces; the same with wrong escapes mended; the json-repair library. Bad escapes are by far
    the commonest fault (123 of 874 answers in production), and the library takes milliseconds for each.
    """
    if (value := _strict(body)) is not None:
        return Answer(value, repaired=False)
    start = min((at for at in map(body.find, "{[") if at >= 0), default=None)
    if start is None:
        return None
    value = _strict(body[start : body.rfind(body[start].translate(_CLOSING)) + 1])
    if value is None:
        value = _lenient(_ESCAPE.sub(_mend_escape, body[start:]))
    if value is None:
        value = _repaired(body[start:])
    return None if value is None else Answer(value, repaired=True)


_CLOSING = str.maketrans("{[", "}]")


def _container(value: Any) -> Any:
    return value if isinstance(value, dict | list) else None


def _strict(text: str) -> Any:
    try:
        return _container(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _lenient(text: str) -> Any:
    try:
        return _container(json.loads(text, strict=False))
    except (ValueError, RecursionError):
        return None


def _mend_escape(found: re.Match[str]) -> str:
    known, unknown = found.groups()
    if known:
        return found.group()
    return "'" if unknown == "'" else f"\\\\{unknown}"


def _repaired(text: str) -> Any:
    """Return what the library makes of the text; several objects side by side are pieces of one."""
    try:
        value: Any = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(value, list):
        return value if isinstance(value, dict) else None
    objects = [each for each in value if isinstance(each, dict)]
    if not text.startswith("{"):
        return value or None
    return {key: each for part in reversed(objects) for key, each in part.items()} or None
