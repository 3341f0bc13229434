"""The port to chunks and their jobs."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from consumers.core import rows
from consumers.core.gate import Room
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import ChunkState


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

    def choose_attempts(self, held: rows.Held) -> None:
        """Choose which attempt counts of each record of a chunk whose outcomes are known."""

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
