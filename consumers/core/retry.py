"""Which failed records are sent again by themselves, and with how many tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.outcomes import Outcome

MORE_TOKENS = 2
"""A cut answer is tried again with this many times the tokens."""

PASSING_CODES = frozenset({"408", "424", "429"})
PASSING_LOSSES = frozenset({"NOT_IN_OUTPUT", "JOB_EXPIRED"})

# What a job's message says where the same job would fail again: access, records, size, format.
_PERMANENT = re.compile(
    r"access|denied|permission|not authorized|unauthorized|forbidden|assume"
    r"|records|minimum|maximum|quota"
    r"|size|too large|exceed|larger than"
    r"|format|malformed|invalid|not valid|jsonl|not supported|does not exist|not found",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a record ended. `past` are the outcomes of its earlier attempts since the batch was last started.

    `max_tokens` is what it was allowed this time, `most_tokens` what its model allows at all.
    """

    outcome: Outcome
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    past: Sequence[Outcome] = ()
    max_tokens: int = 0
    most_tokens: int = 0


def retryable(ended: Ended, max_attempts: int) -> bool:
    """Decide whether a record is sent again by itself; the caller asks for batches that go on only."""
    if len(ended.past) + 1 >= max_attempts:
        return False
    match ended.outcome:
        case Outcome.UNPARSABLE:
            return Outcome.UNPARSABLE not in ended.past
        case Outcome.TRUNCATED:
            more = next_max_tokens(ended.max_tokens, ended.most_tokens)
            return more is not None and Outcome.TRUNCATED not in ended.past
        case Outcome.MODEL_ERROR:
            return ended.retryable or is_passing(ended.error_code)
        case Outcome.MISSING:
            return is_lost(ended.error_code, ended.error_message)
        case _:
            return False


def next_max_tokens(max_tokens: int, most_tokens: int) -> int | None:
    """Return how many tokens a cut answer gets next, or None where the model allows no more."""
    more = min(max_tokens * MORE_TOKENS, most_tokens)
    return more if more > max_tokens else None


def is_passing(error_code: str | None) -> bool:
    """Say whether a record's error code means a passing fault: 408, 424, 429 and 5xx."""
    code = error_code or ""
    return code in PASSING_CODES or re.fullmatch(r"5[0-9]{2}", code) is not None


def is_lost(error_code: str | None, message: str | None) -> bool:
    """Say whether a record that stands in no output may be had by sending it again."""
    if error_code == "JOB_FAILED":
        return not is_permanent(message)
    return error_code in PASSING_LOSSES


def is_permanent(message: str | None) -> bool:
    """Say whether a failed job's message gives a reason that stays: access, records, size or format."""
    return _PERMANENT.search(message or "") is not None
