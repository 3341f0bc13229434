"""The port to the store: what the stages ask of the database."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from consumers.core import rows
from consumers.core.foreign import Adoption
from consumers.core.gate import Room
from consumers.core.jobs import JobReport
from consumers.core.layout import RecordName
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.lines import ResultRow
from consumers.core.restored import Restoration

SavePage = Callable[[Sequence[rows.JudgedRecord]], None]


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
        """Add files to the plan and move its cursor, in one transaction; former failures count no more."""

    def planned_ids(self, batch_id: str, file_ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that the plan holds already."""

    def uncut_files(self, batch_id: str, first: int, limit: int) -> Sequence[rows.NewFile]:
        """Return files that are not REFUSED, from a position on, in order, with what is reused of them.

        Their context is left out.
        """

    def plan_chunks(
        self, held: rows.Held, chunks: Sequence[rows.NewChunk], cursor: Mapping[str, object]
    ) -> None:
        """Add chunks with their files and records and move the cursor, in one transaction."""

    def chunk_plans(self, batch_id: str, round: int) -> Iterator[rows.NewChunk]:
        """Return the stored chunks of one round, in order, with their records."""

    def planned_files(self, batch_id: str) -> Iterator[rows.NewFile]:
        """Stream all files of a batch in plan order, REFUSED ones too, with what is reused of them."""

    def files_at(self, batch_id: str, positions: Iterable[int]) -> Iterator[rows.NewFile]:
        """Stream the files at these places of a plan, in order, as ``planned_files``."""

    def start_batch(self, batch_id: str) -> None:
        """PLANNED → RUNNING; nothing if it runs already."""

    def finish_plan(self, held: rows.Held, now: datetime, *, canary: int | None = None) -> None:
        """PLANNING → PLANNED; with ``canary`` only the first so many chunks may start for now."""

    def canary(self, batch_id: str) -> rows.CanaryCount:
        """Count what the chunks that a canary lets through came to."""

    def release_canary(self, held: rows.Held) -> None:
        """Let the other chunks of the batch start."""

    def stop_buying(self, batch_id: str, why: str, now: datetime) -> None:
        """Note why no more of a batch is bought; chunks without lease and job become CANCELLED, their
        records NOT_BOUGHT. Jobs that are open go on.
        """

    def estimate(self, batch_id: str) -> Decimal | None:
        """Sum the estimates of the batch's chunks that are not bought yet; None where a price is unknown."""

    def refused_files(self, batch_id: str) -> Iterator[rows.NewFile]:
        """Stream the REFUSED files of a batch that were not found fine since, in plan order."""

    def recheck(self, held: rows.Held, judged: Sequence[rows.NewFile]) -> None:
        """Store what REFUSED files came to when they were looked at again.

        One that was found fine has the code RECHECKED and counts as REFUSED until a round takes it in; what
        is reused of it is stored with it.
        """

    def rechecked_files(self, batch_id: str) -> Iterator[rows.NewFile]:
        """Stream the REFUSED files that were found fine since, with what is reused of them, in plan order."""

    def next_index(self, batch_id: str) -> int:
        """Return the number of the next chunk of a batch."""

    def add_round(self, held: rows.Held, round: int, chunks: Iterable[rows.NewChunk], changes: int) -> bool:
        """Add the chunks of the next round, one by one as they come; tells whether it did.

        Not if that round exists already, or a chunk of the batch ended since ``changes`` was read. One
        transaction: the batch's round moves from ``round - 1`` to ``round``. An ended batch goes back to
        RUNNING with revision + 1, takes in its rechecked files, and counts attempts from this round on.
        Records are unique by (batch, file, type, attempt).
        """

    def add_early_round(
        self, held: rows.Held, round: int, chunks: Sequence[rows.NewChunk], left: Mapping[str, int]
    ) -> bool:
        """Add full chunks of records to send again while other chunks of the batch are still on their way.

        Like ``add_round``, but the ends of other chunks do not matter. ``left`` is what still waits of each
        chunk they came from. Not if the batch was cancelled or stopped, or has ended.
        """

    def leave_batch(self, held: rows.Held, changes: int) -> bool:
        """End the lease of a batch, unless a chunk of it ended since ``changes`` was read.

        Whoever meets a live lease leaves the rest to its holder, so the holder must not miss an end.
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

    def failed_of(self, chunk_id: str) -> Iterator[rows.FailedRecord]:
        """Stream those of one chunk, as ``failed_records`` does."""

    def note_waiting(self, held: rows.Held, records: int) -> None:
        """Note how many records of the held chunk wait to be sent again."""

    def waiting_chunks(self, batch_id: str, limit: int) -> Sequence[str]:
        """Return ended chunks of a batch with records that wait to be sent again, in order."""

    def unread_chunks(self, batch_id: str) -> Sequence[str]:
        """Return the chunks of a batch whose output is paid for and could not be read so far."""

    def result_rows(self, batch_id: str, chunk_id: str | None = None) -> Iterator[ResultRow]:
        """Stream what result lines are made of in plan order: current records and REFUSED files.

        With ``chunk_id`` only that chunk's records, whether superseded later or not, and no refused files
        of others.
        """

    def superseded_rows(self, batch_id: str) -> Iterator[ResultRow]:
        """Stream what the lines of attempts are made of whose place a later one has taken, in plan order."""

    def parts(self, batch_id: str) -> Sequence[rows.Part]:
        """Return the parts of a batch's COMPLETED chunks, in order."""

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

    def open_staging(self, held: rows.Held, room: Room, now: datetime) -> rows.Gate:
        """PLANNED → PREPARING if the model has a stage place, is not paused, and the money is there.

        Under the model's row lock: PREPARING and READY chunks without a job count against
        ``stage_ahead`` + free slots. A chunk PREPARING already is OPEN again. NO_ROOM, PAUSED, BLOCKED and
        BUDGET park the chunk: its lease ends in the same transaction, so that whoever frees a place later
        finds it waiting. CANCELLED and STOPPED leave its end to the holder.
        """

    def remeasure(self, held: rows.Held, measured: Sequence[rows.Measured]) -> None:
        """Store sizes and ETags of files of the chunk that are not as planned; each file only once."""

    def split(self, held: rows.Held, new: Sequence[rows.NewChunk], reason: str, now: datetime) -> bool:
        """End a chunk that turned out too large as CANCELLED and put its records into new chunks.

        One transaction; the new chunks are of the same round and attempt. False, and nothing is changed,
        if their numbers are taken by now (ask ``next_index`` again), if the batch was cancelled, or if the
        chunk is not PREPARING any more.
        """

    def refuse_files(self, held: rows.Held, refusals: Sequence[rows.Refusal]) -> None:
        """Mark files of the chunk REFUSED and drop their records from it."""

    def foresee(self, held: rows.Held, estimate_usd: Decimal | None) -> None:
        """Store what a chunk may cost by its files as they are now; None where the price is unknown."""

    def staged(self, held: rows.Held, padding: int, bytes: int, now: datetime) -> None:
        """PREPARING → READY; what failed on the way counts no more."""

    def claim_slot(self, held: rows.Held, name: str, token: str, room: Room, now: datetime) -> rows.Gate:
        """Insert the job row and commit the chunk's estimate, if a slot is free and the money is there.

        Under the model's row lock; an own claim is OPEN again. An unproven model has fewer slots: no more
        than may fail in a row. Other answers as in ``open_staging``.
        """

    def give_slot_back(self, held: rows.Held, why: str, now: datetime) -> None:
        """Delete the job row of a claim that became no job and park the chunk, under the model's row lock.

        Its failures count no more. The model's ``blocked_until`` is set (30 s, doubling to 10 min).
        """

    def submitted(self, chunk_id: str, arn: str, now: datetime) -> bool:
        """Store the job's ARN and READY → SUBMITTED; False if the event stage was faster.

        What failed on the way counts no more. Also ends the model's blocking.
        """

    def chunk_of_job(self, arn: str, name: str) -> rows.Chunk | None:
        """Find a chunk by its job's ARN, else by the exact job name."""

    def job_seen(self, chunk_id: str, report: JobReport, now: datetime) -> bool:
        """Store what Get said, forward only; a terminal status ends the job row, frees the slot and
        moves the chunk to ENDED. A job past validation proves its model. Tells whether anything changed.
        """

    def end_chunk(self, held: rows.Held, state: ChunkState, reason: str, now: datetime) -> str | None:
        """Move a chunk to COMPLETED, FAILED or CANCELLED; a claim that became no job ends with it.

        Its true cost takes the place of its estimate. Counts whole-chunk failures in a row for its model
        (a success begins anew, what a cancel stopped counts as none); after three of them the model pauses
        in the same transaction, and why is returned.
        """

    def next_up(self, model: str, room: Room, now: datetime, ended: str | None = None) -> Sequence[str]:
        """Return the chunks that could move now, best first: READY ones up to the free slots, PLANNED
        ones up to the free stage places; none if the model is paused or blocked. Left out are those that
        somebody holds, that wait for money, behind a canary, or of a batch that is stopped.

        Order: priority (+1 an hour waited), fewest slots in use per batch, age. With ``ended``, a chunk whose
        job did, only what that made room for; of jobs that end together each names another chunk.
        """

    def part_written(self, held: rows.Held, chunk_id: str, written: rows.Written) -> None:
        """Note what a chunk's part came to, under the lease of the chunk or of its ended batch."""

    def backlog(self, model: str) -> int:
        """Count the chunks of a model that wait or run."""

    def output_came_late(self, held: rows.Held, kind: str, why: str, now: datetime) -> None:
        """Make a chunk's MISSING records unread again, and the chunk FAILED: its output is to be read again.

        Counted on the row as a failure of this kind, without a rest.
        """

    def cleaned(self, held: rows.Held, objects: int, bytes: int, now: datetime) -> None:
        """Store that a chunk's folders are gone."""


class Records(Protocol):
    """The outcomes of records."""

    def sent_as(self, chunk_id: str, names: Sequence[RecordName]) -> Mapping[RecordName, rows.SentAs]:
        """Look up a page of records by their names; those that the chunk did not send are left out."""

    def save(self, held: rows.Held, records: Sequence[rows.JudgedRecord], now: datetime) -> None:
        """Store outcomes of a chunk's records in one transaction; the same again changes nothing."""

    def saving(self, held: rows.Held, now: datetime) -> AbstractContextManager[SavePage]:
        """Give a way to ``save`` page after page that need not wait for the page before.

        What was wrong with a page is raised by the next one, or at the end; by then all pages are stored.
        """

    def close_records(self, held: rows.Held, outcome: str, code: str, message: str, now: datetime) -> int:
        """Give every record of the chunk that has no outcome this one; returns how many there were.

        A page of files a transaction: cut short and done again it comes to the same.
        """

    def save_padding(self, held: rows.Held, spent: rows.Spent) -> None:
        """Store what the chunk's padding cost."""

    def outcomes(self, chunk_id: str) -> Mapping[tuple[str, str], int]:
        """Count a chunk's records by (analysis_type, outcome)."""

    def answered(self, chunk_id: str) -> rows.Answered:
        """Count a chunk's records by whether the output has a line for them."""

    def spent(self, chunk_id: str) -> rows.Spent:
        """Sum what a chunk came to: its records and its padding."""

    def reusable(
        self,
        batch: rows.Batch,
        prompt_versions: Mapping[tuple[str, str], str],
        files: Sequence[rows.NewFile],
    ) -> Mapping[tuple[int, str], str]:
        """Find SUCCEEDED results for the same bucket, key, ETag, type and prompt version.

        Model and options are the batch's. ``prompt_versions`` is by (kind, analysis type); the answer, by
        position and type, is ``<batch_id>/<position>/<analysis_type>/<attempt>``.
        """


class Reparsing(Protocol):
    """Results made anew from raw lines, under the lease of an ended batch: nobody else writes its records."""

    def begin_reparse(self, held: rows.Held) -> None:
        """Begin a reparse, unless one is under way."""

    def rejudge(
        self, held: rows.Held, records: Sequence[rows.JudgedRecord], chunk_id: str | None = None
    ) -> int:
        """Store what records came to when they were judged again; returns how many changed.

        Tokens, cost, time and prompt version stay. In the same transaction the attempts that count are chosen
        again, the changes are counted in the reparse, and what the chunk's part came to is forgotten: it is
        older than its records.
        """

    def pass_chunk(self, held: rows.Held, chunk_id: str, records: int, left: Sequence[str]) -> None:
        """Note that a chunk is through: how many of its records were read, and what stays as it was."""

    def links(self, batch_id: str, after: int) -> Sequence[rows.Link]:
        """Return a page of the records of a batch whose results are another's, from behind a position."""

    def end_reparse(
        self,
        held: rows.Held,
        changes: int,
        state: BatchState,
        reason: str,
        done: rows.Reparse,
        now: datetime,
    ) -> bool:
        """End a reparse as ``done``: what it changed makes a new revision, which ends as its counts say.

        Not if the batch moved since ``changes`` was read.
        """


class Watch(Protocol):
    """What the reconciler and the operators look at; and the notes rows keep of their troubles."""

    def failed(self, held: rows.Held, kind: str, why: str, now: datetime) -> int:
        """Count a failure of the held row by kind and set ``wake_after`` (doubling, to 1 h)."""

    def recovered(self, held: rows.Held, kind: str) -> None:
        """Count the held row's failures of a kind from nought; the row rests no more."""

    def open_jobs(self) -> Sequence[rows.OpenJob]:
        """Return the job rows that have not ended."""

    def waiting(self, now: datetime, limit: int) -> rows.Waiting:
        """Return rows that should move and that nobody holds, up to ``limit`` of each."""

    def models(self) -> Sequence[str]:
        """Return the models that have chunks not yet ended."""

    def find(self, kind: str, subject: str, detail: str, now: datetime) -> None:
        """Store a finding; the same kind and subject again only refreshes it."""

    def settled(self, kind: str, subject: str) -> None:
        """Forget a finding, if there is one: what was found is so no more."""

    def forget_outlived(self) -> None:
        """Forget findings whose cause is gone: rows that failed and rest no more, jobs that are over, and
        models without a chunk on its way.
        """


class Aging(Protocol):
    """What has lain for long."""

    def cleanable(self, before: datetime, limit: int, after: str = "") -> Sequence[str]:
        """Return ended chunks not cleaned, whose end lies before a time, by id, beginning after one."""

    def owner_of(self, folder: str) -> str | None:
        """Return the chunk that a folder belongs to."""

    def reader_of(self, uri: str) -> str | None:
        """Return a chunk that is to be read from a place, or from one above or below it, and is not yet."""

    def raw_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch, by id, that ended before a time and has its raw lines yet.

        Not one with output that could not be read so far.
        """

    def raw_removed(self, held: rows.Held, now: datetime) -> None:
        """Store that the raw lines of the held batch are gone."""

    def is_due(self, timer: str, every: timedelta, now: datetime) -> bool:
        """Tell whether something is to be done again, and note that it is done now; one caller is told so."""


class Store(Batches, Chunks, Records, Reparsing, Watch, Restoration, Adoption, Aging, Protocol):
    """Everything the stages ask of the database."""
