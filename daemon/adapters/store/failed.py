"""The records that a later round may send again, streamed in plan order without a transaction held open."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select
from sqlalchemy.sql.selectable import Select

from consumers.core import layout
from consumers.core.rows import FailedRecord
from daemon.adapters.store.attempts import at, sent_in
from daemon.adapters.store.database import Database
from daemon.adapters.store.unread import is_unread
from daemon.adapters.tables import (
    batches,
    chunk_files,
    chunks,
    files,
    record_current,
    record_superseded,
    records,
)
from schemas.outcomes import Outcome

FILES_AT_ONCE = 250
_whole = or_(records.c.outcome == Outcome.SUCCEEDED, records.c.reused_from.is_not(None))
# The texts of the answers stay where they are: nobody who retries looks at them.
_RECORD = [column for column in records.c if column.name not in {"result", "raw_text"}]
_bad = and_(record_current, records.c.outcome.is_not(None), ~_whole)


class Failed:
    """What came to no whole result."""

    database: Database

    def failed_records(self, batch_id: str) -> Iterator[FailedRecord]:
        """Stream the current records that are not whole, in plan order, each with its past."""
        return _stream(self.database, batch_id, lambda after: _positions(batch_id, after), _bad)

    def failed_of(self, chunk_id: str) -> Iterator[FailedRecord]:
        """Stream those of one chunk."""
        mine = and_(_bad, sent_in(chunk_id))
        batch_id = layout.parse_chunk_id(chunk_id).batch_id
        return _stream(self.database, batch_id, lambda after: _placed(chunk_id, after), mine)

    def unread_chunks(self, batch_id: str) -> Sequence[str]:
        """Return the chunks of a batch whose output is paid for, could not be read, and is still there."""
        asked = (
            select(chunks.c.chunk_id)
            .where(chunks.c.batch_id == batch_id, chunks.c.cleaned_at.is_(None), is_unread)
            .order_by(chunks.c.number)
        )
        with self.database.read() as connection:
            return connection.execute(asked).scalars().all()


def _stream(
    database: Database, batch_id: str, page: Callable[[int], Select[Any]], which: ColumnElement[bool]
) -> Iterator[FailedRecord]:
    """Stream the records of the files that ``page`` names, each page behind a position."""
    after = -1
    while True:
        with database.read() as connection:
            positions = list(connection.execute(page(after)).scalars())
            rows = connection.execute(_failed(batch_id, positions, which)).all() if positions else []
            others = _others(connection, batch_id, positions) if rows else {}
        for row in sorted(rows, key=_in_plan):
            yield _failed_record(row, others.get((row.position, row.analysis_type), []))
        if len(positions) < FILES_AT_ONCE:
            return
        after = positions[-1]


def _positions(batch_id: str, after: int) -> Select[Any]:
    behind = and_(records.c.batch_id == batch_id, records.c.position > after, _bad)
    asked = select(records.c.position).where(behind).distinct()
    return asked.order_by(records.c.position).limit(FILES_AT_ONCE)


def _placed(chunk_id: str, after: int) -> Select[Any]:
    behind = and_(chunk_files.c.chunk_id == chunk_id, chunk_files.c.position > after)
    asked = select(chunk_files.c.position).where(behind)
    return asked.order_by(chunk_files.c.position).limit(FILES_AT_ONCE)


def _failed(batch_id: str, positions: Sequence[int], which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            *_RECORD,
            files.c.file_id,
            files.c.size_bytes,
            files.c.s3_key,
            files.c.analysis_types,
            files.c.tokens,
        )
        .join(files, and_(files.c.batch_id == records.c.batch_id, files.c.position == records.c.position))
        .where(at(batch_id, positions), which, ~files.c.forgotten)
    )


def _others(
    connection: Connection, batch_id: str, positions: Sequence[int]
) -> dict[tuple[int, str], list[Row[Any]]]:
    """Read the other attempts, oldest first; ``recent`` tells those since the batch was last started."""
    asked = (
        select(
            records.c.position,
            records.c.analysis_type,
            records.c.attempt,
            records.c.outcome,
            (chunks.c.round >= batches.c.first_round).label("recent"),
        )
        .join(chunks, chunks.c.chunk_id == records.c.chunk_id)
        .join(batches, batches.c.batch_id == records.c.batch_id)
        .where(at(batch_id, positions), record_superseded)
        .where(records.c.outcome.is_not(None))
        .order_by(records.c.attempt)
    )
    others: dict[tuple[int, str], list[Row[Any]]] = {}
    for row in connection.execute(asked):
        others.setdefault((row.position, row.analysis_type), []).append(row)
    return others


def _in_plan(row: Row[Any]) -> tuple[int, int]:
    types = row.analysis_types
    return row.position, types.index(row.analysis_type) if row.analysis_type in types else len(types)


def _failed_record(row: Row[Any], others: Sequence[Row[Any]]) -> FailedRecord:
    return FailedRecord(
        row.position,
        row.file_id,
        row.analysis_type,
        row.attempt,
        Outcome(row.outcome),
        row.error_code or "",
        row.error_message or "",
        row.retryable,
        row.repaired,
        row.max_tokens,
        tuple(Outcome(other.outcome) for other in others if other.recent),
        row.size_bytes,
        row.s3_key,
        attempts=max([row.attempt, *(other.attempt for other in others)]),
        tokens=row.tokens,
        chunk_id=row.chunk_id or "",
    )
