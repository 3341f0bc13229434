"""Plans: files, chunks and records, written in steps with the cursor that says how far they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    TableValuedAlias,
    and_,
    bindparam,
    literal_column,
    select,
    update,
)

from consumers.core.lifecycle import BatchState
from consumers.core.rows import Held, NewChunk, NewFile, NewRecord
from daemon.adapters.store.adding import add_chunks
from daemon.adapters.store.database import TEXTS, Database, insert_new
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import WORKED
from daemon.adapters.store.reuse import add_links, links, source
from daemon.adapters.tables import batches, chunk_files, chunks, files, records

CHUNKS_AT_ONCE = 20


class Plans:
    """What a batch is to send."""

    database: Database

    def plan_files(self, held: Held, files: Sequence[NewFile], cursor: Mapping[str, object]) -> None:
        """Add files to the plan, with the records they need not buy, and move its cursor."""
        rows = [file_row(held.id, file) for file in files]
        with self.database.write() as connection:
            move_cursor(connection, held, cursor)
            insert_new(connection, _files, rows)
            add_links(connection, held.id, files)

    def planned_ids(self, batch_id: str, file_ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that the plan holds already."""
        with self.database.read() as connection:
            asked = _PLANNED[connection.dialect.name]
            found = connection.execute(asked, {"batch": batch_id, "texts": list(file_ids)})
            return frozenset(found.scalars())

    def uncut_files(self, batch_id: str, first: int, limit: int) -> Sequence[NewFile]:
        """Return files that are not REFUSED, from a position on, in order, with what is reused of them.

        Their context stays behind: it was weighed already, and a million of them take time to read.
        """
        asked = select(*_UNCUT).where(
            _files.c.batch_id == batch_id, _files.c.position >= first, _files.c.code == ""
        )
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(_files.c.position).limit(limit)).all()
            reused = links(connection, batch_id, rows[0].position, rows[-1].position) if rows else {}
        return [new_file(row, reused.get(row.position, {})) for row in rows]

    def plan_chunks(self, held: Held, chunks: Sequence[NewChunk], cursor: Mapping[str, object]) -> None:
        """Add chunks with their files and records and move the cursor."""
        with self.database.write() as connection:
            move_cursor(connection, held, cursor)
            add_chunks(connection, held.id, chunks)

    def chunk_plans(self, batch_id: str, round: int) -> Iterator[NewChunk]:
        """Return the stored chunks of one round, in order, with their records; some at a time."""
        after = -1
        while True:
            with self.database.read() as connection:
                found = _plans(connection, batch_id, round, after)
            yield from found
            if len(found) < CHUNKS_AT_ONCE:
                return
            after = found[-1].index


_files, _chunks = files, chunks


def _planned(texts: TableValuedAlias) -> Select[Any]:
    """Look each id up by itself: without statistics PostgreSQL would read the whole batch for all of them."""
    same = and_(files.c.batch_id == bindparam("batch"), files.c.file_id == texts.c.value)
    return select(texts.c.value).where(select(files.c.position).where(same).scalar_subquery().is_not(None))


_PLANNED = {name: _planned(texts) for name, texts in TEXTS.items()}
_UNCUT: list[Any] = [
    *(column for column in files.c if column.name not in {"batch_id", "context", "source"}),
    literal_column("'{}'", files.c.context.type).label("context"),
]


def move_cursor(connection: Connection, held: Held, cursor: Mapping[str, object]) -> None:
    """Move the cursor of a plan in the making, under its lease, within a transaction."""
    guard(connection, held)
    row = update(batches).where(batches.c.batch_id == held.id, batches.c.state == BatchState.PLANNING)
    connection.execute(row.values(cursor=dict(cursor), **WORKED))


def file_row(batch_id: str, file: NewFile) -> dict[str, Any]:
    """Return the columns of a file."""
    return {
        "batch_id": batch_id,
        "position": file.position,
        "file_id": file.file_id,
        "id_is_integer": isinstance(file.echo, int),
        "bucket": file.bucket,
        "s3_key": file.s3_key,
        "size_bytes": file.size_bytes,
        "etag": file.etag,
        "kind": file.kind,
        "local_path": file.local_path,
        "context": dict(file.context),
        "analysis_types": list(file.analysis_types),
        "code": file.code,
        "reason": file.reason,
        "tokens": file.tokens,
        "source": source(file.bucket, file.s3_key, file.etag) if file.s3_key else None,
        "forgotten": file.forgotten,
    }


def new_file(row: Row[Any], reused: Mapping[str, str]) -> NewFile:
    """Return a file from its row, with what is reused of it by analysis type."""
    return NewFile(
        row.position,
        row.file_id,
        echo_of(row),
        row.bucket,
        row.s3_key,
        row.size_bytes,
        row.etag,
        row.kind,
        row.local_path,
        row.context,
        tuple(row.analysis_types),
        row.code,
        row.reason,
        row.tokens,
        reused,
        row.forgotten,
    )


def echo_of(row: Row[Any]) -> int | str:
    """Return a file's id as the sender wrote it."""
    sent = row.file_id.partition("~")[0]  # behind it stands what tells a file from its namesake
    return int(sent) if row.id_is_integer else str(sent)


def _plans(connection: Connection, batch_id: str, round: int, after: int) -> list[NewChunk]:
    asked = select(_chunks).where(
        _chunks.c.batch_id == batch_id, _chunks.c.round == round, _chunks.c.number > after
    )
    rows = connection.execute(asked.order_by(_chunks.c.number).limit(CHUNKS_AT_ONCE)).all()
    ids = [row.chunk_id for row in rows]
    names: dict[str, dict[int, str]] = {each: {} for each in ids}
    placed = select(chunk_files).where(chunk_files.c.chunk_id.in_(ids)).order_by(chunk_files.c.position)
    for row in connection.execute(placed):
        names[row.chunk_id][row.position] = row.safe_name
    sent: dict[str, list[NewRecord]] = {each: [] for each in ids}
    for row in connection.execute(_records_of(ids)):
        record = NewRecord(row.position, row.analysis_type, row.attempt, row.max_tokens)
        sent[row.chunk_id].append(record)
    return [_plan(row, names[row.chunk_id], sent[row.chunk_id]) for row in rows]


def _records_of(ids: Sequence[str]) -> Any:
    return (
        select(
            records.c.chunk_id,
            records.c.position,
            records.c.analysis_type,
            records.c.attempt,
            records.c.max_tokens,
        )
        .where(records.c.chunk_id.in_(ids))
        .order_by(records.c.position, records.c.analysis_type)
    )


def _plan(row: Row[Any], names: Mapping[int, str], sent: Sequence[NewRecord]) -> NewChunk:
    return NewChunk(
        row.chunk_id,
        row.number,
        row.round,
        row.model,
        row.folder,
        row.priority,
        row.bytes,
        row.padding,
        names,
        tuple(sent),
        row.created_at,
        row.estimate_usd,
        row.output_uri or "",
    )
