"""Times in a recording: `MM:SS` or `HH:MM:SS`, and ranges of two such times."""

import math
import re
from functools import lru_cache
from typing import TypedDict

_CLOCK = r"(?:[0-9]{2,4}:[0-5][0-9]|[0-9]{2,3}:[0-5][0-9]:[0-5][0-9])"
TIME = rf"^{_CLOCK}\Z"
RANGE = rf"^{_CLOCK}-{_CLOCK}\Z"

_WELL_FORMED = re.compile(TIME)
_LOOSE_CLOCK = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,4}):([0-5]?[0-9])(?:[.,][0-9]+)?")
_BETWEEN = re.compile(r"\s*(?:[-–—~]|\bto\b|\buntil\b)\s*")
_LONGEST = 999 * 3600


class Seconds(TypedDict):
    """A time range in whole seconds from the beginning of the recording."""

    start: int
    end: int
    duration: int


def seconds(time: str) -> int:
    """Return the seconds of a well-formed time: `01:05` is 65, `01:00:05` is 3605."""
    if len(time) == 5:
        return int(time[:2]) * 60 + int(time[3:])
    total = 0
    for part in time.split(":"):
        total = total * 60 + int(part)
    return total


def range_seconds(text: str) -> Seconds:
    """Return a well-formed range in seconds; an end before the start is read as the start."""
    start, end = _span(text)
    return {"start": start, "end": end, "duration": end - start}


@lru_cache(maxsize=8192)
def _span(text: str) -> tuple[int, int]:
    """Kept for the next file: most ranges of most files are alike."""
    start, _, end = text.partition("-")
    first = seconds(start)
    return first, max(first, seconds(end))


def clock(total: int) -> str:
    """Write seconds as `MM:SS`, from one hour on as `HH:MM:SS`."""
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        return f"{minutes:02}:{rest:02}"
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def mend_time(value: object) -> str | None:
    """Return the well-formed time a value stands for (`1:5`, `00:01:05.2`, 65), or None."""
    if isinstance(value, str):
        text = value.strip()
        return text if _WELL_FORMED.search(text) else _loose_time(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _clock_or_none(value)


def _loose_time(text: str) -> str | None:
    found = _LOOSE_CLOCK.fullmatch(text)
    if found is None:
        return None
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return _clock_or_none(hours * 3600 + minutes * 60 + rest)


def _clock_or_none(total: float) -> str | None:
    return clock(math.floor(total)) if 0 <= total <= _LONGEST else None


def mend_range(value: object) -> str | None:
    """Return the well-formed range a value stands for, or None.

    Known forms: `00:05-00:10` with any dash or "to", a single time (a moment), a list of two times, an
    object with start and end.
    """
    ends: list[object]
    if isinstance(value, str):
        ends = [*_BETWEEN.split(value.strip())]
    elif isinstance(value, list):
        ends = value
    elif isinstance(value, dict):
        ends = [value.get("start", value.get("start_time")), value.get("end", value.get("end_time"))]
    else:
        ends = [value]
    times = [mend_time(end) for end in ends]
    if len(times) not in {1, 2} or times[0] is None or times[-1] is None:
        return None
    return f"{times[0]}-{times[-1]}"
