"""Whether all who counted a job's records counted the same: we, Bedrock's summary, and Get.

Counters may be absent, null or of another type, others may appear beside them; what nobody says is not
compared, and never 0 (AWS: output of batch inference; the counters of Get and List are new in 2026).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

COUNT_MISMATCH, TOKEN_MISMATCH, COST_MISMATCH = "count_mismatch", "token_mismatch", "cost_mismatch"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one of them counted; None where it does not say. Padding is among the records.

    ``total`` are the records of the manifest, ``processed`` those with a line in the output.
    """

    who: str
    total: int | None = None
    processed: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two counts that should be one, in a sentence; ``kind`` is that of the finding."""

    kind: str
    sentence: str


def differences(ours: Counts, others: Sequence[Counts], *, whole: bool) -> Iterator[Difference]:
    """Name each count of the others that is not as ours.

    Only of a job that ran to its end, a ``whole`` one, every record of the manifest has a line: of others
    totals are not compared.
    """
    if whole and ours.processed != ours.total:
        sentence = f"the manifest has {ours.total} records, the output lines for {ours.processed}"
        yield Difference(COUNT_MISMATCH, sentence)
    for theirs in others:
        for name, words in _COUNTS.items():
            if name != "total" or whole:
                yield from _compared(COUNT_MISMATCH, name, words, ours, theirs)
        for name, words in _TOKENS.items():
            yield from _compared(TOKEN_MISMATCH, name, words, ours, theirs)


_COUNTS = {
    "total": "records in the manifest",
    "processed": "records with a line",
    "succeeded": "records with an answer",
    "failed": "records with an error",
}
_TOKENS = {"input_tokens": "input tokens", "output_tokens": "output tokens"}


def _compared(kind: str, name: str, words: str, ours: Counts, theirs: Counts) -> Iterator[Difference]:
    mine, other = getattr(ours, name), getattr(theirs, name)
    if None not in (mine, other) and mine != other:
        yield Difference(kind, f"{theirs.who} counts {other} {words}, {ours.who} {mine}")


def read_summary(data: bytes, who: str) -> Counts | None:
    """Read a summary file; None if it is no JSON object."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    return Counts(who, **{name: _number(told.get(key)) for name, key in _KEYS.items()})


_KEYS = {
    "total": "totalRecordCount",
    "processed": "processedRecordCount",
    "succeeded": "successRecordCount",
    "failed": "errorRecordCount",
    "input_tokens": "inputTokenCount",
    "output_tokens": "outputTokenCount",
}


def _number(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
