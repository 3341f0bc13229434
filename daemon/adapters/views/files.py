"""One file with everything that was ever asked about it, over all batches."""

from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select

from consumers.core.cost import money
from daemon.adapters.store.database import Database, pages
from daemon.adapters.tables import batches, chunk_files, chunks, files, jobs, records
from daemon.adapters.views.history import attempts_of, describe_attempt, named
from daemon.adapters.views.values import instant, words

_BATCH = (batches.c.request_id, batches.c.state.label("batch_state"), batches.c.created_at)


class FileViews:
    """What happened to a file, from its beginning."""

    database: Database

    def file_history(self, file_id: str) -> list[dict[str, Any]]:
        """Describe a file in every batch that names it, the newest first, with every attempt.

        It is looked for batch by batch, as the index has it: there may be millions of files.
        """
        newest = select(batches.c.batch_id).order_by(batches.c.created_at.desc(), batches.c.batch_id)
        with self.database.read() as connection:
            ids = connection.execute(newest).scalars().all()
        return [
            history
            for page in pages(ids)
            for history in self._histories(and_(files.c.batch_id.in_(page), files.c.file_id == file_id))
        ]

    def object_history(self, key: str, bucket: str | None = None) -> list[dict[str, Any]]:
        """Describe an object in every batch that names it; its key in any bucket, if none is given."""
        here = files.c.s3_key == key
        return self._histories(here if bucket is None else and_(here, files.c.bucket == bucket))

    def _histories(self, which: ColumnElement[bool]) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [_describe(connection, row) for row in connection.execute(files_that(which)).all()]


def files_that(meet: ColumnElement[bool]) -> Select[Any]:
    """Select files with their batches, those of the newest batch first."""
    asked = select(files, *_BATCH).join(batches, batches.c.batch_id == files.c.batch_id).where(meet)
    return asked.order_by(batches.c.created_at.desc(), batches.c.batch_id, files.c.position)


def spent_on(histories: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what the attempts of these histories took; one unknown cost makes the sum unknown."""
    bought = [
        attempt
        for history in histories
        for attempt in history["attempts"]
        if attempt["input_tokens"] is not None
    ]
    costs = [Decimal(each["cost_usd"]) for each in bought if each["cost_usd"] is not None]
    return {
        "tokens": {
            "input": sum(each["input_tokens"] for each in bought),
            "output": sum(each["output_tokens"] or 0 for each in bought),
        },
        "cost_usd": money(sum(costs, Decimal(0))) if len(costs) == len(bought) else None,
    }


def _describe(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    attempts = connection.execute(attempts_of(row.batch_id, records.c.position == row.position))
    return {
        "batch_id": row.batch_id,
        "request_id": row.request_id,
        "batch_state": row.batch_state,
        **named(row),
        "kind": row.kind,
        "size_bytes": row.size_bytes,
        "etag": words(row.etag),
        "local_path": row.local_path,
        "analysis_types": row.analysis_types,
        "code": words(row.code),
        "reason": words(row.reason),
        "created_at": instant(row.created_at),
        "copies": [_copy(each) for each in connection.execute(_copies(row.batch_id, row.position))],
        "attempts": [describe_attempt(each) for each in attempts],
    }


def _copies(batch_id: str, position: int) -> Any:
    here = and_(chunk_files.c.chunk_id == chunks.c.chunk_id, chunk_files.c.position == position)
    told = (chunk_files.c.safe_name, chunk_files.c.refused, jobs.c.arn, jobs.c.name, jobs.c.status)
    asked = select(chunks, *told, jobs.c.submitted_at, jobs.c.ended_at, jobs.c.message.label("job_message"))
    joined = asked.join(chunk_files, here).outerjoin(jobs, jobs.c.chunk_id == chunks.c.chunk_id)
    return joined.where(chunks.c.batch_id == batch_id).order_by(chunks.c.number)


def _copy(row: Row[Any]) -> dict[str, Any]:
    return {
        "chunk_id": row.chunk_id,
        "index": row.number,
        "state": row.state,
        "reason": words(row.reason),
        "folder": row.folder,
        "safe_name": row.safe_name,
        "refused": row.refused,
        "job_name": row.name,
        "job_arn": row.arn,
        "job_status": row.status,
        "job_message": words(row.job_message or ""),
        "submitted_at": instant(row.submitted_at),
        "ended_at": instant(row.ended_at),
        "cleaned_at": instant(row.cleaned_at),
    }
