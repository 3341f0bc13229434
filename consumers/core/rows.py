"""The values that travel between the stages and the store; each name tells its place in the flow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from consumers.core.layout import RecordName
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from schemas.messages import Terms
from schemas.outcomes import Outcome


class Leased(StrEnum):
    """What a lease can be taken on; RECONCILER has one row, named ``reconcile``."""

    BATCH = "batch"
    CHUNK = "chunk"
    RECONCILER = "reconciler"


@dataclass(frozen=True, slots=True)
class Held:
    """A lease in our hands: every write of the holder is guarded by its token."""

    kind: Leased
    id: str
    token: str


# ── batches ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NewBatch:
    """An accepted request on its way into the store; ``request`` is its canonical JSON, files included.

    ``cursor`` says where its plan begins, if not with the first of its files.
    """

    batch_id: str
    terms: Terms
    model: str
    bucket: str
    request: str
    created_at: datetime
    cursor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reparse:
    """The last reparse of a batch: chunks before ``next`` are through; None once it has ended.

    Of ``records`` read again ``changed`` came to something else. ``left`` counts what stays as it was, chunks
    and links to the results of others; ``why_left`` says of the first ones why.
    """

    next: int | None = 0
    records: int = 0
    changed: int = 0
    left: int = 0
    why_left: tuple[str, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as stored. ``cursor`` says how far its plan is; ``round`` counts the resubmissions;
    ``changes`` counts the ends of its chunks, so that a writer notices what happened meanwhile.

    ``committed_usd`` is what its ended chunks cost plus the estimates of its open jobs. ``stopped`` says why
    no more of it is bought (a budget, a canary). With ``canary`` only the first so many chunks may start.

    ``retried`` is the last revision a person had retried, 0 if none; attempts count from ``first_round``,
    the round it began with.
    """

    batch_id: str
    request_id: str
    terms: Terms
    model: str
    bucket: str
    state: BatchState
    reason: str
    revision: int
    round: int
    cursor: Mapping[str, Any]
    cancelled: bool
    created_at: datetime
    finished_at: datetime | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    changes: int = 0
    budget_usd: Decimal | None = None
    committed_usd: Decimal = Decimal(0)
    stopped: str = ""
    canary: int | None = None
    retried: int = 0
    first_round: int = 0
    reparse: Reparse | None = None


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file on its way into the plan; ``code`` and ``reason`` are set where it is REFUSED.

    ``file_id`` is the text form; ``echo`` the id as the sender wrote it (an integer stays one). ``tokens``
    is the estimate of what the model reads of the file itself (media and context) for each record.
    ``reused`` names, by analysis type, the earlier record whose result is linked instead of bought.
    """

    position: int
    file_id: str
    echo: int | str
    bucket: str
    s3_key: str
    size_bytes: int
    etag: str
    kind: str
    local_path: str | None
    context: Mapping[str, Any]
    analysis_types: tuple[str, ...]
    code: str = ""
    reason: str = ""
    tokens: int = 0
    reused: Mapping[str, str] = field(default_factory=dict)


RECHECKED = "rechecked"
"""The code of a REFUSED file that was found fine since and waits for the round that sends it."""


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record on its way into a chunk: the file by its position in the batch, the type, the attempt."""

    position: int
    analysis_type: str
    attempt: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk with everything it will send; ``safe_names`` maps a file's position to its copy's name.

    ``output_uri`` says where its output lies if it was sent by others.
    """

    chunk_id: str
    index: int
    round: int
    model: str
    folder: str
    priority: int
    bytes: int
    padding: int
    safe_names: Mapping[int, str]
    records: tuple[NewRecord, ...]
    created_at: datetime
    estimate_usd: Decimal | None = None
    output_uri: str = ""


# ── chunks and jobs ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class JobCounts:
    """What Bedrock counted, where it did (Get and the summary file; new in 2026, may be absent)."""

    total: int | None = None
    processed: int | None = None
    succeeded: int | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The chunk's Bedrock job. Without ``arn`` it is an intent: a slot claimed, the create not confirmed."""

    chunk_id: str
    name: str
    token: str
    arn: str | None
    status: JobStatus | None
    message: str
    claimed_at: datetime
    submitted_at: datetime | None
    ended_at: datetime | None
    counts: JobCounts = field(default_factory=JobCounts)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as stored, with what its stages need of its batch.

    ``unread``: its output is paid for and could not be read so far. ``reason`` says how it ended. After a
    failure it rests until ``wake_after``. ``proven``: a job of its model was seen past validation since the
    last failure.
    ``output_uri`` names output that lies elsewhere than in its own folder: a job was taken in.
    """

    chunk_id: str
    batch_id: str
    index: int
    round: int
    state: ChunkState
    model: str
    terms: Terms
    folder: str
    files: int
    records: int
    padding: int
    bytes: int
    cancelled: bool
    created_at: datetime
    ready_at: datetime | None
    cleaned_at: datetime | None
    last_error: str
    failures: Mapping[str, int]
    unread: bool
    job: Job | None
    estimate_usd: Decimal | None = None
    reason: str = ""
    wake_after: datetime | None = None
    proven: bool = True
    output_uri: str = ""


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A record as a manifest needs it."""

    analysis_type: str
    attempt: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ChunkFile:
    """A file of a chunk: where it comes from, its name in the folder, what is asked about it."""

    position: int
    file_id: str
    bucket: str
    s3_key: str
    size_bytes: int
    etag: str
    local_path: str | None
    safe_name: str
    context: Mapping[str, Any]
    records: tuple[SentRecord, ...]
    measured_again: bool = False
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a source came to when it was looked at again, because it was not as planned."""

    position: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file never reached a manifest."""

    position: int
    code: str
    reason: str


class Gate(StrEnum):
    """The answer to "may this chunk go on?".

    NO_ROOM, PAUSED, BLOCKED and BUDGET park the chunk until somebody frees the way; CANCELLED and STOPPED
    end it unbought; STALE says that it is past this gate already.
    """

    OPEN = "open"
    NO_ROOM = "no_room"
    PAUSED = "paused"
    BLOCKED = "blocked"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    STALE = "stale"


# ── results ────────────────────────────────────────────────────────────────────────────────────


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
class Written:
    """What a file of result lines came to; `sha256` in hex digits, `bytes` as they lie in S3."""

    lines: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a chunk that is COMPLETED; `written` None where nobody noted what it came to."""

    chunk_id: str
    index: int
    written: Written | None


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


@dataclass(frozen=True, slots=True)
class CanaryCount:
    """What the first chunks of a batch came to: chunks not through yet, records, and the good among them."""

    open: int
    records: int
    good: int


@dataclass(frozen=True, slots=True)
class BatchCount:
    """What a batch came to, counted in the store. ``outcomes`` counts current records by outcome."""

    files: int
    refused: int
    records: int
    reused: int
    good: int
    outcomes: Mapping[Outcome, int]
    spent: Spent
    padding: Spent
    superseded: Spent
    chunks: int
    chunks_through: int


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job row not ended, as the reconciler compares it with Bedrock's list."""

    chunk_id: str
    name: str
    token: str
    arn: str | None
    status: JobStatus | None
    claimed_at: datetime
    leased: bool
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that should move and that nobody moves: ids by what they wait for."""

    plans: tuple[str, ...] = ()
    submits: tuple[str, ...] = ()
    ingests: tuple[str, ...] = ()
    settles: tuple[str, ...] = ()
    reparses: tuple[str, ...] = ()
    cleanups: tuple[str, ...] = ()
