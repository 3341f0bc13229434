"""The port to batches and their files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from consumers.core import rows
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.lines import ResultRow


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
