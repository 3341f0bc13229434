"""What other software reads of us: the details of our events, result lines, and a batch's manifest.

These types are for the checker and for the contract page; at run time they are plain dictionaries.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, final

from pydantic import Field
from typing_extensions import TypedDict

from schemas.messages import BatchId, ChunkId, Name
from schemas.outcomes import Outcome

Count = Annotated[int, Field(ge=0)]
Money = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""US dollars as decimal text, exact; None where they are not known."""
Moment = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$")]
"""ISO-8601 in UTC."""
S3Uri = Annotated[str, Field(pattern="^s3://")]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
One = Literal[1]
End = Literal["COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELLED"]
ResultOutcome = Literal[
    "SUCCEEDED", "TRUNCATED", "UNPARSABLE", "FILTERED", "MODEL_ERROR", "MISSING", "NOT_BOUGHT", "CANCELLED",
    "REFUSED",
]  # fmt: skip


class Outcomes(TypedDict):
    """How many records came to what; every outcome is named."""

    SUCCEEDED: Count
    TRUNCATED: Count
    UNPARSABLE: Count
    FILTERED: Count
    MODEL_ERROR: Count
    MISSING: Count
    NOT_BOUGHT: Count
    CANCELLED: Count


def outcomes(counted: Mapping[Outcome, int]) -> Outcomes:
    """Write counts by outcome; what was not met is 0."""
    found: Any = {each.value: counted.get(each, 0) for each in Outcome}
    done: Outcomes = found
    return done


class BatchCounts(Outcomes):
    """Files, and records by outcome; reused ones count in ``records`` only."""

    files: Count
    refused: Count
    records: Count
    reused: Count


class Tokens(TypedDict):
    """All that was bought: records, superseded attempts and padding."""

    input: Count
    output: Count


@final
class Accepted(TypedDict):
    """The plan is complete and jobs may start."""

    version: One
    batch_id: BatchId
    request_id: Name
    files: Count
    refused: Count
    reused: Count
    chunks: Count
    estimate_usd: Money | None
    expected_end: Moment | None


@final
class Refused(TypedDict):
    """Nothing is bought; ``batch_id`` only where the request was planned first."""

    version: One
    batch_id: NotRequired[BatchId]
    request_id: Name
    error_code: str
    error_message: str


class ChunkFinished(TypedDict):
    """A chunk is COMPLETED and its part can be read."""

    version: One
    batch_id: BatchId
    request_id: Name
    chunk_id: ChunkId
    state: Literal["COMPLETED"]
    part_uri: S3Uri
    counts: Outcomes


class Summary(TypedDict):
    """What a batch came to, for this revision."""

    version: One
    batch_id: BatchId
    request_id: Name
    revision: Annotated[int, Field(ge=1)]
    state: End
    reason: str | None
    counts: BatchCounts
    tokens: Tokens
    cost_usd: Money | None


class BatchFinished(Summary):
    """The files of this revision are written."""

    manifest_uri: S3Uri


class Written(TypedDict):
    """One file of lines below ``nova_results/<batch_id>/``."""

    key: str
    lines: Count
    bytes: Count
    sha256: Digest


class WrittenPart(Written):
    """The lines of one chunk."""

    chunk_id: ChunkId


class Manifest(Summary):
    """What the files of a batch came to, at its end."""

    round: Count
    padding_usd: Money | None
    superseded_usd: Money | None
    results: Written
    superseded: Written | None
    forgotten: Written | None
    parts: list[WrittenPart]


class ResultError(TypedDict):
    """Why there is no result, or none whole: for programs and for people."""

    code: str | None
    message: str | None


class ResultLine(TypedDict):
    """One current or superseded attempt of a file and analysis type, or a REFUSED file."""

    schema_version: One
    batch_id: BatchId
    request_id: Name
    file_id: int | str
    bucket: str
    s3_key: str | None
    etag: str | None
    analysis_type: str | None
    outcome: ResultOutcome
    result: dict[str, Any] | None
    error: ResultError | None
    record_id: str | None
    attempt: Annotated[int, Field(ge=1)] | None
    repaired: bool
    reused_from: str | None
    stop_reason: str | None
    model_id: str | None
    prompt_version: str | None
    input_tokens: Count | None
    output_tokens: Count | None
    cost_usd: Money | None
    created_at: Moment
