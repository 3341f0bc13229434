"""The values in which a lost store is filled again, from what S3 and Bedrock still know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from consumers.core.jobs import JobReport
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import NewChunk, Spent
from schemas.outcomes import Outcome

RESTORING = "restoring"
"""The phase of a plan that only `novabatch reconcile --rebuild` may go on with."""
REFUSED = "REFUSED"
"""The outcome in the line of a file that never reached a manifest."""
UNKNOWN = "unknown_refusal"
"""The code of a file that was REFUSED for a reason that went with the database."""


@dataclass(frozen=True, slots=True)
class RestoredChunk:
    """A chunk as its plan has it, with its job where Bedrock lists one."""

    chunk: NewChunk
    job: JobReport | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A record's outcome as its result lines tell it; without ``analysis_type`` a file that was REFUSED.

    ``result`` is the whole answer as JSON text, ``etag`` what was analysed. ``retryable`` stands in no line.
    """

    file_id: str
    bucket: str
    s3_key: str
    outcome: str
    created_at: datetime
    etag: str | None = None
    analysis_type: str | None = None
    attempt: int | None = None
    result: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    repaired: bool = False
    reused_from: str | None = None
    stop_reason: str | None = None
    prompt_version: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """How a restored chunk had ended; records that nothing is known of get ``outcome`` with ``code``.

    ``padded`` counts its records of padding and ``padding`` is what they came to, where that is known.
    """

    state: ChunkState
    reason: str
    outcome: Outcome
    code: str
    message: str
    padded: int = 0
    padding: Spent | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a batch was: its newest plan, and its end where it had one.

    Fields as those of ``Batch``; ``canary`` holds back what comes after so many chunks.
    """

    revision: int
    round: int
    retried: int = 0
    first_round: int = 0
    canary: int = 0
    cursor: Mapping[str, Any] = field(default_factory=dict)
    end: BatchState | None = None
    reason: str = ""
