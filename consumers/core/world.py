"""The ports through which stages act, and the outcomes they answer with."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from consumers.core import rows
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.lines import ResultRow
from schemas.facts import Fact
from schemas.models import ModelTable

# ── outcomes ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Done:
    """The message is dealt with: tell ``facts``, publish ``then``, delete it."""

    facts: tuple[Fact, ...] = ()
    then: tuple[BaseModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """A passing fault: give the message back for ``after`` seconds."""

    after: float
    why: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """This can never work: to the dead-letter queue with ``code`` and ``why``; ``then`` is still sent."""

    code: str
    why: str
    then: tuple[BaseModel, ...] = ()


Outcome = Done | Later | Refuse


# ── objects (S3) ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing or a HEAD tells of an object."""

    key: str
    bytes: int
    etag: str = ""
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Copy:
    """One object to copy under a new name, only if it still has the ETag that was measured."""

    position: int
    source_bucket: str
    source_key: str
    etag: str
    key: str
    content_type: str


class Writer(Protocol):
    """Takes the bytes of one object, piece by piece; memory stays flat."""

    def write(self, data: bytes) -> object:
        """Append to the object."""


class Objects(Protocol):
    """The objects of our bucket; originals may lie in other allowed buckets.

    All calls raise ``faults``: Missing, Denied, Changed, Archived, PassingFault, Rejected.
    """

    def heads(self, keys: Sequence[tuple[str, str]]) -> Iterator["ObjectInfo | Exception"]:
        """Measure objects given as (bucket, key), in parallel; answers in order, a Fault in its place."""

    def copies(self, copies: Sequence[Copy]) -> Iterator[tuple[Copy, Exception | None]]:
        """Copy objects in parallel as they come; a Fault stands beside the copy it struck."""

    def exists(self, key: str) -> bool:
        """Tell whether our bucket holds the key."""

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        """List every object under a prefix in key order, page by page, beginning after a key."""

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        r"""Stream an object's lines (split on ``\n`` only) with the offset behind each; mends broken reads.

        With ``etag`` the object must still be that one: Changed otherwise.
        """

    def writer(
        self, key: str, *, content_type: str, if_absent: bool = False
    ) -> AbstractContextManager[Writer]:
        """Write one object of our bucket; nothing is put if the block raises.

        With ``if_absent`` an existing object is kept and Changed raised on leaving the block.
        Keys that end in ``.gz`` are compressed on the way.
        """

    def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete keys of our bucket, a thousand a call; returns the keys that stayed with the reason."""


# ── jobs (Bedrock) ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What CreateModelInvocationJob is asked for; both URIs are folders with their slash."""

    name: str
    token: str
    model: str
    role_arn: str
    input_uri: str
    output_uri: str
    timeout_hours: int


@dataclass(frozen=True, slots=True)
class JobReport:
    """What Get or List tells of a job."""

    arn: str
    name: str
    token: str
    status: JobStatus
    message: str
    counts: rows.JobCounts
    output_uri: str
    submitted_at: datetime | None
    ended_at: datetime | None


class Jobs(Protocol):
    """Bedrock's batch jobs. Calls raise faults: QuotaExceeded, Throttled, NameTaken, Rejected, Denied, ..."""

    def create(self, request: JobRequest) -> str:
        """Create a job and return its ARN; a PassingFault leaves open whether it exists."""

    def get(self, arn: str) -> JobReport:
        """Ask for one job by its full ARN."""

    def find(self, name: str, token: str) -> JobReport | None:
        """Find a job by its exact name or by our token, through List."""

    def since(self, when: datetime) -> Iterator[JobReport]:
        """List the jobs with our name prefix submitted after a time, 1,000 a page."""

    def stop(self, arn: str) -> None:
        """Ask a job to stop; a job that has ended already is no fault."""


# ── the store ──────────────────────────────────────────────────────────────────────────────────


class Batches(Protocol):
    """Batches and their files. Writes that take a Held raise LeaseLost when its lease is gone."""

    def accept(self, batch: rows.NewBatch) -> bool:
        """Store a request unless its batch_id exists; tells whether it is new."""

    def batch(self, batch_id: str) -> rows.Batch | None:
        """Return one batch."""

    def request_of(self, batch_id: str) -> str:
        """Return the canonical request body as it was accepted."""

    def plan_files(
        self, held: rows.Held, files: Sequence[rows.NewFile], cursor: Mapping[str, object]
    ) -> None:
        """Add files to the plan and move its cursor, in one transaction."""

    def planned_ids(self, batch_id: str, file_ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that the plan holds already."""

    def uncut_files(self, batch_id: str, first: int, limit: int) -> Sequence[rows.NewFile]:
        """Return files that are not REFUSED, from a position on, in order."""

    def plan_chunks(
        self, held: rows.Held, chunks: Sequence[rows.NewChunk], cursor: Mapping[str, object]
    ) -> None:
        """Add chunks with their files and records and move the cursor, in one transaction."""

    def chunk_plans(self, batch_id: str, round: int) -> Iterator[rows.NewChunk]:
        """Return the stored chunks of one round, in order, with their records."""

    def start_batch(self, batch_id: str) -> None:
        """PLANNED → RUNNING; nothing if it runs already."""

    def finish_plan(self, held: rows.Held) -> None:
        """PLANNING → PLANNED."""

    def add_round(self, held: rows.Held, round: int, chunks: Sequence[rows.NewChunk]) -> bool:
        """Add the chunks of the next round unless that round exists already; tells whether it did.

        One transaction: the batch's round moves from ``round - 1`` to ``round`` and an ended batch goes
        back to RUNNING with revision + 1. Records are unique by (batch, file, type, attempt).
        """

    def finish_batch(
        self, held: rows.Held, changes: int, state: BatchState, reason: str, now: datetime
    ) -> bool:
        """Move a batch to an end state, unless a chunk of it ended since ``changes`` was read."""

    def cancel(self, batch_id: str, reason: str, now: datetime) -> Sequence[str]:
        """Set the cancel flag; chunks without lease and job become CANCELLED with their records.

        Returns the ids of chunks whose job is open.
        """

    def count(self, batch_id: str) -> rows.BatchCount:
        """Count what the batch came to."""

    def failed_records(self, batch_id: str) -> Iterator[rows.FailedRecord]:
        """Stream the current records (highest attempt of each file and type) not SUCCEEDED or reused.

        In plan order; a repaired TRUNCATED one is among them.
        """

    def result_rows(self, batch_id: str, chunk_id: str | None = None) -> Iterator[ResultRow]:
        """Stream what result lines are made of in plan order: current records and REFUSED files.

        With ``chunk_id`` only that chunk's records, whether superseded later or not, and no refused files
        of others.
        """

    def is_through(self, batch_id: str) -> bool:
        """Tell whether the plan is complete and every chunk has ended; cheap, however large the batch."""

    def chunk_ids(self, batch_id: str) -> Sequence[tuple[str, ChunkState]]:
        """Return a batch's chunks with their states, in order."""


class Chunks(Protocol):
    """Chunks, their slots and their jobs. A guarded move that comes too late changes nothing and says so."""

    def chunk(self, chunk_id: str) -> rows.Chunk | None:
        """Return one chunk."""

    def chunk_files(self, chunk_id: str) -> Sequence[rows.ChunkFile]:
        """Return a chunk's files in order, with the records to send."""

    def open_staging(self, held: rows.Held, slots: int, stage_ahead: int, now: datetime) -> rows.Gate:
        """PLANNED → PREPARING if the model has a stage place and is not paused.

        Under the model's row lock: PREPARING and READY chunks without a job count against
        ``stage_ahead`` + free slots. A chunk PREPARING already is OPEN again. NO_ROOM, PAUSED and BLOCKED
        park the chunk: its lease ends in the same transaction, so that whoever frees a place later
        finds it waiting.
        """

    def refuse_files(self, held: rows.Held, refusals: Sequence[rows.Refusal]) -> None:
        """Mark files of the chunk REFUSED and drop their records from it."""

    def staged(self, held: rows.Held, padding: int, bytes: int, now: datetime) -> None:
        """PREPARING → READY."""

    def claim_slot(self, held: rows.Held, name: str, token: str, slots: int, now: datetime) -> rows.Gate:
        """Insert the job row if a slot is free, under the model's row lock; an own claim is OPEN again.

        NO_ROOM, PAUSED and BLOCKED park the chunk, as in ``open_staging``.
        """

    def give_slot_back(self, held: rows.Held, why: str, now: datetime, *, block: bool) -> None:
        """Delete the job row and park the chunk, under the model's row lock.

        With ``block`` the model's ``blocked_until`` is set (30 s, doubling to 10 min) and the chunk parks;
        without, the lease stays for the chunk's end to be written.
        """

    def submitted(self, chunk_id: str, arn: str, now: datetime) -> bool:
        """Store the job's ARN and READY → SUBMITTED; False if the event stage was faster.

        Also ends the model's blocking.
        """

    def chunk_of_job(self, arn: str, name: str) -> rows.Chunk | None:
        """Find a chunk by its job's ARN, else by the exact job name."""

    def job_seen(self, chunk_id: str, report: JobReport, now: datetime) -> bool:
        """Store what Get said, forward only; a terminal status ends the job row, frees the slot and
        moves the chunk to ENDED. Tells whether anything changed.
        """

    def end_chunk(self, held: rows.Held, state: ChunkState, reason: str, now: datetime) -> None:
        """Move a chunk to COMPLETED, FAILED or CANCELLED.

        Counts whole-chunk failures in a row for its model (reset by a success).
        """

    def streak(self, model: str) -> int:
        """Return how many chunks in a row failed as a whole on a model."""

    def next_up(self, model: str, slots: int, stage_ahead: int, now: datetime) -> Sequence[str]:
        """Return the chunks that could move now, best first: READY ones up to the free slots, PLANNED
        ones up to the free stage places; none if the model is paused or blocked; leased ones left out.

        Order: priority (+1 an hour waited), fewest slots in use per batch, age.
        """

    def pause(self, model: str, reason: str, now: datetime) -> None:
        """Stop submissions of a model (or ``*`` for all)."""

    def resume(self, model: str) -> bool:
        """Allow submissions again; False if it was not paused."""

    def cleaned(self, held: rows.Held, objects: int, bytes: int, now: datetime) -> None:
        """Store that a chunk's folders are gone."""

    def cleanable(self, before: datetime, limit: int) -> Sequence[str]:
        """Return ended chunks not cleaned, whose end lies before a time, oldest first."""


class Records(Protocol):
    """The outcomes of records."""

    def save(self, held: rows.Held, records: Sequence[rows.JudgedRecord], now: datetime) -> None:
        """Store outcomes of a chunk's records in one transaction; the same again changes nothing."""

    def close_records(self, held: rows.Held, outcome: str, code: str, message: str, now: datetime) -> int:
        """Give every record of the chunk that has no outcome this one; returns how many there were."""

    def save_padding(self, held: rows.Held, spent: rows.Spent) -> None:
        """Store what the chunk's padding cost."""

    def outcomes(self, chunk_id: str) -> Mapping[tuple[str, str], int]:
        """Count a chunk's records by (analysis_type, outcome)."""

    def spent(self, chunk_id: str) -> rows.Spent:
        """Sum what a chunk came to: its records and its padding."""

    def reusable(
        self, model: str, prompt_versions: Mapping[tuple[str, str], str], files: Sequence[rows.NewFile]
    ) -> Mapping[tuple[int, str], str]:
        """Find SUCCEEDED results for the same bucket, key, ETag, model, type and prompt version."""


class Watch(Protocol):
    """What the reconciler and the operators look at; and the notes rows keep of their troubles."""

    def failed(self, held: rows.Held, kind: str, why: str, now: datetime) -> int:
        """Count a failure of the held row by kind and set ``wake_after`` (doubling, to 1 h)."""

    def open_jobs(self) -> Sequence[rows.OpenJob]:
        """Return the job rows that have not ended."""

    def waiting(self, now: datetime, limit: int) -> rows.Waiting:
        """Return rows that should move and that nobody holds, up to ``limit`` of each."""

    def models(self) -> Sequence[str]:
        """Return the models that have chunks not yet ended."""

    def find(self, kind: str, subject: str, detail: str, now: datetime) -> None:
        """Store a finding; the same kind and subject again only refreshes it."""


class Store(Batches, Chunks, Records, Watch, Protocol):
    """Everything the stages ask of the database."""


# ── the world of one message ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decisions depend on."""

    bucket: str
    allowed_buckets: frozenset[str]
    role_arn: str
    region: str
    job_name_prefix: str = "novabatch"
    max_files_per_chunk: int = 150
    max_chunk_bytes: int = 4_500_000_000
    max_file_bytes: int = 1_000_000_000
    min_records: int = 100
    stage_ahead: int = 20
    max_attempts: int = 3
    job_timeout_hours: int = 24
    fetch_max_retries: int = 3
    cleanup_after_success: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What one stage run may touch, and the time it is.

    ``hold`` takes a lease for as long as the message is worked on, or returns None if somebody
    else has it; the worker renews it and lets it go. ``checkpoint`` raises LeaseLost once the message or
    a lease is lost: long loops call it between steps.
    """

    now: datetime
    policy: Policy
    models: ModelTable
    store: Store
    objects: Objects
    jobs: Jobs
    hold: Callable[[rows.Leased, str], rows.Held | None]
    checkpoint: Callable[[], None]


Stage = Callable[[Any, World], Outcome]


def done(facts: Iterable[Fact] = (), then: Iterable[BaseModel] = ()) -> Done:
    """Make a Done from any iterables."""
    return Done(tuple(facts), tuple(then))
