"""What stands now: open jobs, chunks that may be cleaned, folders in use, models at rest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select

from daemon.adapters.store.aging import settling, unread
from daemon.adapters.store.database import Database, pages
from daemon.adapters.tables import (
    batches,
    chunk_over,
    chunk_uncleaned,
    chunks,
    days,
    findings,
    job_open,
    jobs,
    models,
)
from daemon.adapters.views.values import instant

_THROUGH = (
    func.count(chunks.c.chunk_id).label("chunks"),
    func.count(chunks.c.chunk_id).filter(chunk_over).label("through"),
    func.sum(chunks.c.records).label("records"),
    func.sum(chunks.c.records).filter(chunk_over).label("records_through"),
    func.sum(jobs.c.processed).label("processed"),
)


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How far the cleaning of a chunk is; ``failures`` counts the tries that failed, ``error`` the last."""

    chunk_id: str
    cleaned: bool
    objects: int
    bytes: int
    failures: int
    error: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: chunks and records that are through, of those planned so far."""

    state: str
    reason: str
    chunks: int
    chunks_through: int
    records: int
    records_through: int


class StandingViews:
    """Rows of today, not of the past."""

    database: Database

    def pending(self) -> dict[str, Any]:
        """Describe the jobs that are open, oldest first."""
        asked = (
            select(jobs, chunks.c.batch_id, chunks.c.model, chunks.c.files, chunks.c.records)
            .add_columns(chunks.c.last_checked_at)
            .join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
            .where(job_open)
            .order_by(jobs.c.claimed_at, jobs.c.chunk_id)
        )
        with self.database.read() as connection:
            found = [_pending(row) for row in connection.execute(asked)]
        return {"total_pending": len(found), "chunks": found}

    def open_findings(self) -> list[tuple[str, str, str]]:
        """Return kind, subject and detail of what a person should look at, the oldest first."""
        asked = select(findings.c.kind, findings.c.subject, findings.c.detail)
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(findings.c.first_seen, findings.c.kind))
            return [(row.kind, row.subject, row.detail) for row in rows]

    def last_error_of(self, name: str) -> str | None:
        """Return the last error that a chunk or a batch notes, or None."""
        asked = (
            select(chunks.c.last_error).where(chunks.c.chunk_id == name),
            select(batches.c.last_error).where(batches.c.batch_id == name),
        )
        with self.database.read() as connection:
            found = [connection.execute(each).scalar_one_or_none() for each in asked]
        return next(filter(None, found), None)

    def failing(self, kind: str, batch_ids: Collection[str]) -> Mapping[str, str]:
        """Return why one kind of work on batches fails: as the finding of it says, else the last error."""
        asked = select(batches).where(batches.c.batch_id.in_(batch_ids)).order_by(batches.c.batch_id)
        with self.database.read() as connection:
            found = {
                row.batch_id: row.last_error for row in connection.execute(asked) if row.failures.get(kind)
            }
        said = {name: detail for what, name, detail in self.open_findings() if what == f"{kind}_failing"}
        return {batch_id: said.get(batch_id) or error for batch_id, error in found.items()}

    def progress(self, batch_id: str) -> Progress | None:
        """Tell how far a batch is, from its chunk rows alone: cheap enough to ask every second."""
        columns = (batches.c.state, batches.c.reason)
        asked = (
            select(*columns, *_THROUGH)
            .outerjoin(chunks, chunks.c.batch_id == batches.c.batch_id)
            .outerjoin(jobs, and_(jobs.c.chunk_id == chunks.c.chunk_id, job_open))
            .where(batches.c.batch_id == batch_id)
            .group_by(*columns)
        )
        with self.database.read() as connection:
            row = connection.execute(asked).first()
        if row is None:
            return None
        through = int(row.records_through or 0) + int(row.processed or 0)
        records = int(row.records or 0)
        return Progress(row.state, row.reason, row.chunks, row.through, records, min(through, records))

    def cleanable(self, before: datetime, batch_id: str | None = None) -> list[str]:
        """Return ended chunks whose folders are there yet, oldest first: of a time, or of a batch."""
        asked = select(chunks.c.chunk_id).where(chunk_uncleaned).order_by(chunks.c.finished_at)
        which = chunks.c.finished_at < before if batch_id is None else chunks.c.batch_id == batch_id
        with self.database.read() as connection:
            return list(connection.execute(asked.where(which)).scalars())

    def cleanings(self, chunk_ids: Sequence[str]) -> list[Cleaning]:
        """Tell how far the cleaning of these chunks is."""
        columns = (chunks.c.cleaned_objects, chunks.c.cleaned_bytes, chunks.c.failures)
        asked = select(chunks.c.chunk_id, chunks.c.cleaned_at, chunks.c.last_error, *columns)
        found: list[Cleaning] = []
        with self.database.read() as connection:
            for page in pages(chunk_ids):
                rows = connection.execute(
                    asked.where(chunks.c.chunk_id.in_(page)).order_by(chunks.c.chunk_id)
                )
                found.extend(_cleaning(row) for row in rows)
        return found

    def folders(self, now: datetime) -> dict[str, bool]:
        """Return every chunk's folder, and whether it may be cleaned and is not clean yet."""
        uncleaned = and_(chunk_over, chunks.c.cleaned_at.is_(None), ~unread(), ~settling(now))
        with self.database.read() as connection:
            rows = connection.execute(select(chunks.c.folder, uncleaned.label("cleanable")))
            return {row.folder: bool(row.cleanable) for row in rows}

    def committed_on(self, day: date) -> Decimal:
        """Sum what was committed on a day (UTC): what ended jobs cost and open ones may cost."""
        asked = select(days.c.committed_usd).where(days.c.day == day.isoformat())
        with self.database.read() as connection:
            return connection.execute(asked).scalar_one_or_none() or Decimal(0)

    def resting(self) -> list[dict[str, Any]]:
        """Describe models that are paused or that Bedrock refused for quota."""
        asked = select(models).where(models.c.paused_at.is_not(None) | models.c.blocked_until.is_not(None))
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(models.c.model)).all()
        return [
            {
                "model": row.model,
                "paused_reason": row.paused_reason,
                "paused_at": instant(row.paused_at),
                "blocked_until": instant(row.blocked_until),
            }
            for row in rows
        ]


def _cleaning(row: Any) -> Cleaning:
    failures = int(row.failures.get("cleanup", 0))
    return Cleaning(
        row.chunk_id,
        row.cleaned_at is not None,
        row.cleaned_objects or 0,
        row.cleaned_bytes or 0,
        failures,
        row.last_error if failures else "",
    )


def _pending(row: Any) -> dict[str, Any]:
    return {
        "chunk_id": row.chunk_id,
        "batch_id": row.batch_id,
        "job_arn": row.arn,
        "job_name": row.name,
        "status": row.status,
        "model": row.model,
        "files": row.files,
        "records": row.records,
        "processed": row.processed,
        "submitted_at": instant(row.submitted_at),
        "last_checked_at": instant(row.last_checked_at),
    }
