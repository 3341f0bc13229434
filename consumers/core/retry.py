"""Which failed records are sent again, by themselves or as a person asked, and with how many tokens."""

import re

from consumers.core.rows import FailedRecord
from schemas.outcomes import Outcome

MORE_TOKENS = 2
"""A cut answer is tried again with this many times the tokens."""

PASSING_CODES = frozenset({"408", "424", "429"})
# Bedrock's own names for the same (AWS: InvokeModel, errors); a code is a number as a rule.
PASSING_NAMES = frozenset(
    {
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
PASSING_LOSSES = frozenset({"NOT_IN_OUTPUT", "JOB_EXPIRED"})

# What the message of a failed job says where the same job would fail again.
PERMANENT = {
    "access": r"access|permission|authori[sz]|forbidden|assume",
    "records": r"(less|fewer|more) records|required (min|max)imum|number of records",
    "size": r"\bsize\b|too large|larger than|exceeds the (limit|maximum)",
    "format": r"format|malformed|jsonl|valid json|invalid|not supported|no such|not found|does not exist",
}
_PERMANENT = re.compile("|".join(PERMANENT.values()), re.IGNORECASE)


def tokens_for_retry(record: FailedRecord, max_attempts: int, most_tokens: int) -> int | None:
    """Return how many tokens to allow a record that is sent again by itself; None where it is not.

    `most_tokens` is what the model allows at all. `record.past` are the outcomes of its earlier attempts
    since the batch was last started.
    """
    if len(record.past) + 1 >= max_attempts or not retryable(record):
        return None
    if record.outcome is Outcome.TRUNCATED:
        return next_max_tokens(record.max_tokens, most_tokens)
    return record.max_tokens


def tokens_asked_again(record: FailedRecord, most_tokens: int) -> int | None:
    """Return how many tokens to allow a record that a person wants sent again; None where it is not.

    A repaired answer is kept, and what was paid for and could not be read is never bought again.
    """
    if record.error_code == "RESULT_FETCH_FAILED":
        return None
    if record.outcome is Outcome.TRUNCATED:
        more = next_max_tokens(record.max_tokens, most_tokens)
        return None if record.repaired else more or record.max_tokens
    return record.max_tokens


def retryable(record: FailedRecord) -> bool:
    """Say whether another attempt may give what this one did not, as far as the outcome tells."""
    match record.outcome:
        case Outcome.UNPARSABLE | Outcome.TRUNCATED:
            return record.outcome not in record.past and record.attempt == record.attempts
        case Outcome.MODEL_ERROR:
            return record.retryable or is_passing(record.error_code)
        case Outcome.MISSING:
            return is_lost(record.error_code, record.error_message)
        case _:
            return False


def next_max_tokens(max_tokens: int, most_tokens: int) -> int | None:
    """Return how many tokens a cut answer gets next, or None where its model allows no more."""
    more = min(max_tokens * MORE_TOKENS, most_tokens)
    return more if more > max_tokens else None


def is_passing(error_code: str | None) -> bool:
    """Say whether a record's error code means a passing fault: 408, 424, 429, 5xx, or such a fault's name."""
    code = error_code or ""
    return code in PASSING_CODES | PASSING_NAMES or re.fullmatch(r"5[0-9]{2}", code) is not None


def is_lost(error_code: str | None, message: str | None) -> bool:
    """Say whether a record that stands in no output may be had by sending it again."""
    if error_code == "JOB_FAILED":
        return not is_permanent(message)
    return error_code in PASSING_LOSSES


def is_permanent(message: str | None) -> bool:
    """Say whether a failed job's message gives a reason that stays: access, records, size or format."""
    return _PERMANENT.search(message or "") is not None
