"""How places and values of a request are named to a person: always short, always printable."""

from collections.abc import Iterable

LONGEST_MESSAGE = 1000
"""Bytes of UTF-8 that a reason may have; a dead letter carries at most 1 KB of it."""

LONGEST_PLACE = 120


def place(path: Iterable[str | int]) -> str:
    """Write a path within JSON as ``files[3].s3_key``; long names are cut."""
    written = ""
    for step in path:
        name = f"[{step}]" if isinstance(step, int) else clip(_printable(step), 60)
        written += name if isinstance(step, int) or not written else f".{name}"
    return clip(written, LONGEST_PLACE)


def short(value: object, length: int = 60) -> str:
    """Write a value for a person: scalars as they are up to a length, the rest by what it is."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return clip(repr(value[: length + 1]), length)
        case dict():
            return f"an object of {len(value)}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return clip(repr(value), length)


def clip(text: str, most: int = LONGEST_MESSAGE) -> str:
    """Cut a text to so many bytes, between characters; an ellipsis tells that it was cut."""
    data = text.encode(errors="replace")
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"


def _printable(text: str) -> str:
    return text[:100] if text[:100].isprintable() else repr(text[:100])[1:-1]
