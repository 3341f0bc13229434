"""Jobs: what the create answered, what events and Get tell, always forward."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from consumers.core.jobs import JobReport
from consumers.core.lifecycle import JOB_ENDS, PAST_VALIDATION, ChunkState, JobStatus, is_forward
from consumers.core.rows import Chunk, OpenJob, Phase
from daemon.adapters.store.auditing import add_entry
from daemon.adapters.store.chunks import read_chunk
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import is_held
from daemon.adapters.store.model_rows import end_block, let_probe, lock_model, model_of, prove
from daemon.adapters.store.moves import WORKED, move_chunk
from daemon.adapters.store.slots import job_deed
from daemon.adapters.tables import batches, chunks, job_open, jobs

_STATE_OF = {
    JobStatus.SUBMITTED: ChunkState.SUBMITTED,
    JobStatus.VALIDATING: ChunkState.SUBMITTED,
    JobStatus.SCHEDULED: ChunkState.SUBMITTED,
    JobStatus.IN_PROGRESS: ChunkState.IN_PROGRESS,
    JobStatus.STOPPING: ChunkState.SUBMITTED,  # it may never have begun
    **dict.fromkeys(JOB_ENDS, ChunkState.ENDED),
}


class Jobs:
    """The job rows."""

    database: Database
    actor: str

    def submitted(self, chunk_id: str, arn: str, now: datetime) -> bool:
        """Store the ARN that a create answered with, unless an event was faster; ends a block."""
        with self.database.write() as connection:
            end_block(connection, lock_model(connection, model_of(connection, chunk_id)).model)
            job = update(jobs).where(jobs.c.chunk_id == chunk_id, jobs.c.arn.is_(None))
            stored = connection.execute(
                job.values(arn=arn, submitted_at=now, status=JobStatus.SUBMITTED)
            ).rowcount
            if stored:
                _move(connection, chunk_id, ChunkState.SUBMITTED)
                add_entry(connection, self.actor, job_deed(chunk_id, arn), Phase.OUTCOME)
            return bool(stored)

    def chunk_of_job(self, arn: str, name: str) -> Chunk | None:
        """Find a chunk by its job's ARN, else by the exact job name."""
        asked = select(jobs.c.chunk_id, jobs.c.arn).where(or_(jobs.c.arn == arn, jobs.c.name == name))
        with self.database.read() as connection:
            found = sorted(connection.execute(asked).all(), key=lambda row: row.arn != arn)
            return read_chunk(connection, found[0].chunk_id) if found else None

    def job_seen(self, chunk_id: str, report: JobReport, now: datetime) -> bool:
        """Store what Get said, forward only; an end frees the slot. Tells whether anything changed.

        A job past validation proves its model.
        """
        with self.database.write() as connection:
            lock_model(connection, model_of(connection, chunk_id))
            checked = update(chunks).where(chunks.c.chunk_id == chunk_id)
            connection.execute(checked.values(last_checked_at=now))
            job = connection.execute(select(jobs).where(jobs.c.chunk_id == chunk_id)).first()
            if job is None or job.arn not in {None, report.arn}:
                return False
            if job.arn is None:
                add_entry(connection, self.actor, job_deed(chunk_id, report.arn), Phase.OUTCOME)
            return see(connection, job, report, now)

    def open_jobs(self) -> Sequence[OpenJob]:
        """Return the job rows that have not ended, oldest first."""
        asked = (
            select(jobs, is_held(chunks).label("leased"), batches.c.cancelled, chunks.c.last_checked_at)
            .join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
            .join(batches, batches.c.batch_id == chunks.c.batch_id)
            .where(job_open)
            .order_by(jobs.c.claimed_at)
        )
        with self.database.read() as connection:
            return [_open_job(row) for row in connection.execute(asked)]


def see(connection: Connection, job: Row[Any], report: JobReport, now: datetime) -> bool:
    """Take in what is told of a job, forward only, within a transaction that has locked its model."""
    old = JobStatus(job.status) if job.status else None
    learned: dict[str, object] = {} if job.arn else {"arn": report.arn}
    forward = is_forward(old, report.status)
    if old not in JOB_ENDS and (forward or old is report.status):
        learned |= _told(report, job.submitted_at)
    if forward and report.status in JOB_ENDS:
        learned["ended_at"] = report.ended_at or now
        let_probe(connection, job.base_model, now)
    if learned:
        connection.execute(update(jobs).where(jobs.c.chunk_id == job.chunk_id).values(learned))
    if forward and report.status in PAST_VALIDATION:
        prove(connection, job.base_model)
    if forward:
        _move(connection, job.chunk_id, _STATE_OF[report.status])
    return forward or job.arn is None


def _told(report: JobReport, submitted_at: datetime | None) -> dict[str, object]:
    counts = report.counts
    return {
        "status": report.status,
        "message": report.message,
        "submitted_at": report.submitted_at or submitted_at,
        "total": counts.total,
        "processed": counts.processed,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
    }


def _move(connection: Connection, chunk_id: str, state: ChunkState) -> None:
    """Move a chunk with its job; what it rested for before is over."""
    move_chunk(connection, chunks.c.chunk_id == chunk_id, state, **WORKED)


def _open_job(row: Row[Any]) -> OpenJob:
    status = JobStatus(row.status) if row.status else None
    return OpenJob(
        row.chunk_id,
        row.name,
        row.token,
        row.arn,
        status,
        row.claimed_at,
        bool(row.leased),
        row.cancelled,
        row.last_checked_at,
    )
