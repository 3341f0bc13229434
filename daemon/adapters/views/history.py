"""Whole histories: a chunk with its records, a batch with its refused files and its last reparse."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, select

from consumers.core import layout
from consumers.core.cost import money
from daemon.adapters.store.database import Database
from daemon.adapters.store.plans import echo_of
from daemon.adapters.tables import batches, chunk_files, chunks, files, records
from daemon.adapters.views.batches import chunk_row, describe_chunk
from daemon.adapters.views.values import instant, words

_ATTEMPT = [column for column in records.c if column.name != "result"]


class HistoryViews:
    """What happened to a chunk or a batch, from its beginning."""

    database: Database

    def chunk_history(self, chunk_id: str) -> dict[str, Any] | None:
        """Describe a chunk: its times, its troubles, its files and what its records gave."""
        with self.database.read() as connection:
            row = chunk_row(connection, chunk_id)
            if row is None:
                return None
            placed = connection.execute(_placed(row.batch_id, chunk_id)).all()
            attempts = connection.execute(attempts_of(row.batch_id, records.c.chunk_id == chunk_id)).all()
        return {
            **describe_chunk(row),
            "batch_id": row.batch_id,
            "round": row.round,
            "reason": words(row.reason),
            "created_at": instant(row.created_at),
            "preparing_at": instant(row.preparing_at),
            "ready_at": instant(row.ready_at),
            "finished_at": instant(row.finished_at),
            "cleaned_objects": row.cleaned_objects,
            "cleaned_bytes": row.cleaned_bytes,
            "wake_after": instant(row.wake_after),
            "failures": row.failures,
            "placed": [_place(each) for each in placed],
            "attempts": [describe_attempt(each) for each in attempts],
        }

    def reparse_of(self, batch_id: str) -> dict[str, Any] | None:
        """Describe the last reparse of a batch, or the one under way; None if there was none."""
        planned = select(func.count()).where(chunks.c.batch_id == batch_id).scalar_subquery()
        asked = select(batches, planned.label("chunks")).where(batches.c.batch_id == batch_id)
        with self.database.read() as connection:
            row = connection.execute(asked).first()
        if row is None or row.reparse is None:
            return None
        failures = int(row.failures.get("reparse", 0))
        return {
            "revision": row.revision,
            "chunks": row.chunks,
            "through": row.chunks if row.reparse_next is None else row.reparse_next,
            "records": row.reparse["records"],
            "changed": row.reparse["changed"],
            "left": row.reparse["left"],
            "why_left": row.reparse["why_left"],
            "failures": failures,
            "last_error": words(row.last_error) if failures else None,
            "ended_at": row.reparse["ended_at"] and instant(datetime.fromisoformat(row.reparse["ended_at"])),
        }

    def refused_files(self, batch_id: str, limit: int) -> list[dict[str, Any]]:
        """Name the files of a batch that never reached a manifest, with the reason."""
        asked = select(files).where(files.c.batch_id == batch_id, files.c.code != "")
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(files.c.position).limit(limit))
            return [{**named(row), "code": row.code, "reason": row.reason} for row in rows]


def _placed(batch_id: str, chunk_id: str) -> Any:
    here = and_(chunk_files.c.position == files.c.position, chunk_files.c.chunk_id == chunk_id)
    asked = select(files, chunk_files.c.safe_name, chunk_files.c.refused).join(chunk_files, here)
    return asked.where(files.c.batch_id == batch_id).order_by(files.c.position)


def attempts_of(batch_id: str, which: Any) -> Any:
    """Ask for records of a batch, in plan order, as ``describe_attempt`` wants them."""
    same = and_(files.c.batch_id == records.c.batch_id, files.c.position == records.c.position)
    asked = select(*_ATTEMPT, files.c.file_id, files.c.id_is_integer).join(files, same)
    order = (records.c.position, records.c.analysis_type, records.c.attempt)
    return asked.where(records.c.batch_id == batch_id, which).order_by(*order)


def named(row: Row[Any]) -> dict[str, Any]:
    """Name the file of a row as its sender did."""
    return {"file_id": echo_of(row), "bucket": row.bucket, "s3_key": row.s3_key}


def _place(row: Row[Any]) -> dict[str, Any]:
    return {
        **named(row),
        "safe_name": row.safe_name,
        "size_bytes": row.size_bytes,
        "refused": row.refused,
        "code": words(row.code),
        "reason": words(row.reason),
    }


def describe_attempt(row: Row[Any]) -> dict[str, Any]:
    """Describe one time that a record was asked, without its result."""
    return {
        "record_id": layout.record_id(row.file_id, row.analysis_type),
        "file_id": echo_of(row),
        "analysis_type": row.analysis_type,
        "attempt": row.attempt,
        "chunk_id": row.chunk_id,
        "superseded": row.superseded,
        "outcome": row.outcome,
        "error": _error(row),
        "repaired": row.repaired,
        "reused_from": row.reused_from,
        "missing": row.missing,
        "stop_reason": row.stop_reason,
        "raw_text": row.raw_text,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": money(row.cost_usd),
        "created_at": instant(row.created_at),
    }


def _error(row: Row[Any]) -> dict[str, str | None] | None:
    if row.error_code is None and row.error_message is None:
        return None
    return {"code": row.error_code, "message": row.error_message}
