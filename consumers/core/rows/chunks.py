"""Chunks and their jobs, and what the gate says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from consumers.core.lifecycle import ChunkState, JobStatus
from consumers.core.rows.records import NewRecord
from schemas.messages import Terms


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


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job row not ended, as it is compared with Bedrock's list; Get was asked last at ``checked_at``."""

    chunk_id: str
    name: str
    token: str
    arn: str | None
    status: JobStatus | None
    claimed_at: datetime
    leased: bool
    cancelled: bool = False
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows that should move and that nobody moves: ids by what they wait for."""

    plans: tuple[str, ...] = ()
    submits: tuple[str, ...] = ()
    ingests: tuple[str, ...] = ()
    settles: tuple[str, ...] = ()
    reparses: tuple[str, ...] = ()
    forgets: tuple[str, ...] = ()
    cleanups: tuple[str, ...] = ()
