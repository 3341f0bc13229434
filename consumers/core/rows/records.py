"""Records: sent, judged, to be sent again."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import msgspec

from consumers.core.layout import RecordName
from schemas.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record on its way into a chunk: the file by its position in the batch, the type, the attempt."""

    position: int
    analysis_type: str
    attempt: int
    max_tokens: int


class SentAs(NamedTuple):
    """What a record is in its batch: the file by its position and its key, the type, the attempt.

    Without ``kind`` the key's ending tells what the file is.
    """

    position: int
    s3_key: str
    analysis_type: str
    attempt: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A record whose result is another's; ``name`` and ``chunk_id`` say how and where that one was sent.

    ``chunk_id`` is None where the other is gone.
    """

    record: SentAs
    name: RecordName
    reused_from: str
    chunk_id: str | None


class JudgedRecord(msgspec.Struct, frozen=True):
    """One record's outcome on its way into the store. ``result`` is the parsed answer as JSON text.

    ``missing`` counts the parts of the answer that were left empty; None where there is no answer. What it
    cost and how it was asked stay as they are stored where a raw line is only read again.
    """

    position: int
    analysis_type: str
    attempt: int
    outcome: Outcome
    result: str | None = None
    raw_text: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    repaired: bool = False
    stop_reason: str | None = None
    missing: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    prompt_version: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a chunk's records got: ``sent`` stood in the manifest, ``answers`` and ``errors`` have a line."""

    sent: int
    answers: int
    errors: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and money; ``cost_usd`` None where unknown."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A current record that has no whole result: what the retry decision looks at.

    ``attempt`` is the one that counts, ``attempts`` how many there were: a cut answer that could be kept
    counts although a later attempt brought nothing better. ``past`` are the outcomes of the other attempts
    since the batch was last started.
    """

    position: int
    file_id: str
    analysis_type: str
    attempt: int
    outcome: Outcome
    error_code: str
    error_message: str
    retryable: bool
    repaired: bool
    max_tokens: int
    past: tuple[Outcome, ...]
    size_bytes: int
    s3_key: str
    attempts: int
    tokens: int = 0
    chunk_id: str = ""
