"""Plans: files, chunks and records, written in steps with the cursor that says how far they are."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, true, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState
from consumers.core.rows import Held, NewChunk, NewFile, NewRecord
from daemon.adapters.store.database import Database, insert_new, pages
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import move_batch
from daemon.adapters.tables import batches, chunk_files, chunks, files, records, state_in
from schemas.models import base_model

CHUNKS_AT_ONCE = 20


class Plans:
    """What a batch is to send."""

    database: Database

    def plan_files(self, held: Held, files: Sequence[NewFile], cursor: Mapping[str, object]) -> None:
        """Add files to the plan and move its cursor."""
        rows = [_file_row(held.id, file) for file in files]
        with self.database.write() as connection:
            _move_cursor(connection, held, cursor)
            insert_new(connection, _files, rows)

    def planned_ids(self, batch_id: str, file_ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that the plan holds already."""
        with self.database.read() as connection:
            found: set[str] = set()
            for page in pages(file_ids):
                asked = select(_files.c.file_id).where(
                    _files.c.batch_id == batch_id, _files.c.file_id.in_(page)
                )
                found.update(connection.execute(asked).scalars())
            return frozenset(found)

    def uncut_files(self, batch_id: str, first: int, limit: int) -> Sequence[NewFile]:
        """Return files that are not REFUSED, from a position on, in order."""
        asked = select(_files).where(
            _files.c.batch_id == batch_id, _files.c.position >= first, _files.c.code == ""
        )
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(_files.c.position).limit(limit))
            return [_new_file(row) for row in rows]

    def plan_chunks(self, held: Held, chunks: Sequence[NewChunk], cursor: Mapping[str, object]) -> None:
        """Add chunks with their files and records and move the cursor."""
        with self.database.write() as connection:
            _move_cursor(connection, held, cursor)
            _add_chunks(connection, held.id, chunks)

    def add_round(self, held: Held, round: int, chunks: Sequence[NewChunk]) -> bool:
        """Add the next round of chunks; False if it exists already. An ended batch opens again."""
        mine = and_(batches.c.batch_id == held.id, batches.c.round == round - 1)
        with self.database.write() as connection:
            guard(connection, held)
            goes_on = or_(~batches.c.cancelled, state_in(batches, BATCH_ENDS))
            step = update(batches).where(mine, goes_on, batches.c.state != BatchState.PLANNING)
            if not connection.execute(step.values(round=round)).rowcount:
                return False
            _reopen(connection, held.id)
            _add_chunks(connection, held.id, chunks)
            _supersede(connection, held.id, chunks)
            return True

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


def source(bucket: str, key: str, etag: str) -> str | None:
    """Name the content of an object; None where it is not known."""
    return sha256(f"{bucket}\0{key}\0{etag}".encode(errors="replace")).hexdigest()[:32] if etag else None


def _move_cursor(connection: Connection, held: Held, cursor: Mapping[str, object]) -> None:
    guard(connection, held)
    row = update(batches).where(batches.c.batch_id == held.id, batches.c.state == BatchState.PLANNING)
    connection.execute(row.values(cursor=dict(cursor), wake_after=None))


def _file_row(batch_id: str, file: NewFile) -> dict[str, Any]:
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
        "source": source(file.bucket, file.s3_key, file.etag),
    }


def _new_file(row: Row[Any]) -> NewFile:
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
    )


def echo_of(row: Row[Any]) -> int | str:
    """Return a file's id as the sender wrote it."""
    sent = row.file_id.partition("~")[0]  # behind it stands what tells a file from its namesake
    return int(sent) if row.id_is_integer else str(sent)


def _add_chunks(connection: Connection, batch_id: str, new: Sequence[NewChunk]) -> None:
    """Insert chunks with all that belongs to them; files refused before get another chance."""
    insert_new(connection, _chunks, [_chunk_row(batch_id, chunk) for chunk in new])
    placed = [
        {"chunk_id": chunk.chunk_id, "position": position, "safe_name": name}
        for chunk in new
        for position, name in chunk.safe_names.items()
    ]
    insert_new(connection, chunk_files, placed)
    insert_new(
        connection, records, [_record_row(batch_id, chunk, each) for chunk in new for each in chunk.records]
    )
    if any(chunk.round for chunk in new):
        again = update(_files).where(
            _files.c.batch_id == batch_id, _files.c.position == bindparam("at"), _files.c.code != ""
        )
        at = [{"at": row["position"]} for row in placed]
        connection.execute(again.values(code="", reason=""), at)


def _chunk_row(batch_id: str, chunk: NewChunk) -> dict[str, Any]:
    return {
        "chunk_id": chunk.chunk_id,
        "batch_id": batch_id,
        "number": chunk.index,
        "round": chunk.round,
        "state": ChunkState.PLANNED,
        "model": chunk.model,
        "base_model": base_model(chunk.model),
        "folder": chunk.folder,
        "priority": chunk.priority,
        "files": len(chunk.safe_names),
        "records": len(chunk.records),
        "bytes": chunk.bytes,
        "padding": chunk.padding,
        "estimate_usd": chunk.estimate_usd,
        "created_at": chunk.created_at,
        "failures": {},
    }


def _record_row(batch_id: str, chunk: NewChunk, record: NewRecord) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "position": record.position,
        "analysis_type": record.analysis_type,
        "attempt": record.attempt,
        "chunk_id": chunk.chunk_id,
        "max_tokens": record.max_tokens,
    }


def _reopen(connection: Connection, batch_id: str) -> None:
    """Open an ended batch for a retry: a cancel before is forgotten."""
    which = and_(batches.c.batch_id == batch_id, state_in(batches, BATCH_ENDS))
    again = {"revision": batches.c.revision + 1, "cancelled": False, "reason": "", "finished_at": None}
    move_batch(connection, which, BatchState.RUNNING, **again)


def _supersede(connection: Connection, batch_id: str, new: Sequence[NewChunk]) -> None:
    older = update(records).where(
        records.c.batch_id == batch_id,
        records.c.position == bindparam("at"),
        records.c.analysis_type == bindparam("type"),
        records.c.attempt < bindparam("newest"),
    )
    sent = [
        {"at": each.position, "type": each.analysis_type, "newest": each.attempt}
        for chunk in new
        for each in chunk.records
    ]
    if sent:
        connection.execute(older.values(superseded=true()), sent)


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
    )
