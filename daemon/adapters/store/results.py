"""What result lines are made of, streamed in plan order without a transaction held open."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, select, true
from sqlalchemy.sql.selectable import Select

from consumers.core import layout
from consumers.core.lines import ResultRow
from daemon.adapters.store.attempts import at, sent_in
from daemon.adapters.store.database import Database
from daemon.adapters.store.plans import echo_of
from daemon.adapters.tables import batches, chunk_files, files, record_current, record_superseded, records

FILES_AT_ONCE = 250
REFUSED = "REFUSED"
_RECORD = [
    column
    for column in records.c
    if column.name not in {"batch_id", "position", "chunk_id", "raw_text", "superseded", "max_tokens"}
]
_FILE = [column for column in files.c if column.name not in {"batch_id", "context", "local_path", "source"}]


class Results:
    """The streams a settling batch reads."""

    database: Database

    def result_rows(self, batch_id: str, chunk_id: str | None = None) -> Iterator[ResultRow]:
        """Stream current records and REFUSED files; of a chunk all its records and its own refused files."""
        which = record_current if chunk_id is None else sent_in(chunk_id)
        for page in self._pages(batch_id, lambda after: _files(batch_id, chunk_id, after), which):
            for file in page.files:
                if file.code:
                    yield _refused(page.batch, file)
                yield from page.rows_of(file)

    def superseded_rows(self, batch_id: str) -> Iterator[ResultRow]:
        """Stream the attempts whose place a later one has taken, in plan order, oldest first."""
        for page in self._pages(batch_id, lambda after: _resent(batch_id, after), record_superseded):
            for file in page.files:
                yield from page.rows_of(file)

    def forgotten_rows(self, batch_id: str) -> Iterator[ResultRow]:
        """Stream the records of files that were forgotten, superseded ones too, in plan order."""
        for page in self._pages(batch_id, lambda after: _forgotten(batch_id, after), true()):
            for file in page.files:
                yield from page.rows_of(file)

    def _pages(
        self, batch_id: str, files_after: Callable[[int], Select[Any]], which: ColumnElement[bool]
    ) -> Iterator["_Page"]:
        """Read a batch's files page by page, each with those of its records that have an outcome."""
        after = -1
        with self.database.read() as connection:
            batch = connection.execute(_batch(batch_id)).first()
        while batch is not None:
            with self.database.read() as connection:
                files = connection.execute(files_after(after)).all()
                found = _records(connection, batch_id, [row.position for row in files], which)
            yield _Page(batch, files, found)
            if len(files) < FILES_AT_ONCE:
                return
            after = files[-1].position


@dataclass(frozen=True, slots=True)
class _Page:
    """Some files of a batch, and their records by position."""

    batch: Row[Any]
    files: Sequence[Row[Any]]
    found: Mapping[int, Sequence[Row[Any]]]

    def rows_of(self, file: Row[Any]) -> Iterator[ResultRow]:
        """Give a file's records in the order in which its request names their types."""
        order = {name: place for place, name in enumerate(file.analysis_types)}

        def place(row: Row[Any]) -> tuple[int, int]:
            return order.get(row.analysis_type, len(order)), row.attempt

        for row in sorted(self.found.get(file.position, ()), key=place):
            yield _result(self.batch, file, row)


def _batch(batch_id: str) -> Select[Any]:
    columns = (batches.c.batch_id, batches.c.request_id, batches.c.model, batches.c.created_at)
    return select(*columns).where(batches.c.batch_id == batch_id)


def _files(batch_id: str, chunk_id: str | None, after: int) -> Select[Any]:
    known = (files.c.batch_id == batch_id, files.c.position > after, ~files.c.forgotten)
    asked = select(*_FILE).where(*known)
    if chunk_id is not None:
        mine = and_(chunk_files.c.position == files.c.position, chunk_files.c.chunk_id == chunk_id)
        asked = asked.join(chunk_files, mine)
    return asked.order_by(files.c.position).limit(FILES_AT_ONCE)


def _forgotten(batch_id: str, after: int) -> Select[Any]:
    which = (files.c.batch_id == batch_id, files.c.position > after, files.c.forgotten)
    return select(*_FILE).where(*which).order_by(files.c.position).limit(FILES_AT_ONCE)


def _resent(batch_id: str, after: int) -> Select[Any]:
    """Ask for the files that have superseded attempts."""
    mine = and_(records.c.batch_id == files.c.batch_id, records.c.position == files.c.position)
    sent = select(records.c.position).where(mine, record_superseded, records.c.outcome.is_not(None))
    known = (files.c.batch_id == batch_id, files.c.position > after, ~files.c.forgotten)
    asked = select(*_FILE).where(*known, sent.exists())
    return asked.order_by(files.c.position).limit(FILES_AT_ONCE)


def _records(
    connection: Connection, batch_id: str, positions: Sequence[int], which: ColumnElement[bool]
) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    if positions:
        asked = select(records.c.position, *_RECORD).where(at(batch_id, positions), which)
        for row in connection.execute(asked.where(records.c.outcome.is_not(None))):
            found.setdefault(row.position, []).append(row)
    return found


def _refused(batch: Row[Any], file: Row[Any]) -> ResultRow:
    return ResultRow(
        **_about(batch, file),
        outcome=REFUSED,
        created_at=batch.created_at,
        error_code=file.code,
        error_message=file.reason,
    )


def _result(batch: Row[Any], file: Row[Any], row: Row[Any]) -> ResultRow:
    return ResultRow(
        **_about(batch, file),
        outcome=row.outcome,
        created_at=row.created_at,
        analysis_type=row.analysis_type,
        result=msgspec.json.decode(row.result) if row.result is not None else None,
        error_code=row.error_code,
        error_message=row.error_message,
        record_id=layout.record_id(file.file_id, row.analysis_type),
        attempt=row.attempt,
        repaired=row.repaired,
        reused_from=row.reused_from,
        stop_reason=row.stop_reason,
        model_id=batch.model,
        prompt_version=row.prompt_version or None,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
    )


def _about(batch: Row[Any], file: Row[Any]) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "file_id": echo_of(file),
        "bucket": file.bucket,
        "s3_key": file.s3_key,
        "kind": file.kind,
        "etag": file.etag or None,
    }
