"""What staging finds out about sources: other sizes than planned, and chunks made too large by them."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, case, select, update

from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Held, Measured, NewChunk
from daemon.adapters.store.adding import add_chunks, next_number
from daemon.adapters.store.current import choose_current
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.model_rows import lock_model, model_of
from daemon.adapters.store.moves import move_chunk
from daemon.adapters.store.records import batch_of, count_again
from daemon.adapters.store.reuse import source
from daemon.adapters.tables import batches, chunk_files, chunks, files, records, state_in
from schemas.outcomes import Outcome

Place = tuple[str, str]
_STORE = (
    update(files)
    .where(files.c.batch_id == bindparam("batch"), files.c.position == bindparam("at"))
    .values(size_bytes=bindparam("size"), etag=bindparam("tag"), source=bindparam("content"))
)
_FLAG = (
    update(chunk_files)
    .where(chunk_files.c.chunk_id == bindparam("chunk"), chunk_files.c.position == bindparam("at"))
    .values(measured_again=True)
)


class Splits:
    """Chunks that are not as they were planned."""

    database: Database

    def remeasure(self, held: Held, measured: Sequence[Measured]) -> None:
        """Store sizes and ETags of files of the chunk that are not as planned; each file only once.

        A file with a result of its former content has none to give for the new one: it is reused no more.
        """
        with self.database.write() as connection:
            guard(connection, held)
            batch_id = batch_of(connection, held.id)
            first = _first_time(connection, batch_id, held.id)
            known = _with_results(connection, batch_id, held.id)
            new = [
                _row(batch_id, held.id, each, None if each.position in known else first[each.position])
                for each in measured
                if each.position in first
            ]
            if new:
                connection.execute(_STORE, new)
                connection.execute(_FLAG, new)

    def split(self, held: Held, new: Sequence[NewChunk], reason: str, now: datetime) -> bool:
        """End a chunk that turned out too large as CANCELLED and put its records into new chunks.

        False, and nothing is changed, if the numbers of the new chunks are taken by now, if the batch was
        cancelled, or if the chunk is not PREPARING any more.
        """
        with self.database.write() as connection:
            lock_model(connection, model_of(connection, held.id))
            guard(connection, held)
            batch_id = batch_of(connection, held.id)
            if not _may_add(connection, batch_id, new[0].index):
                return False
            which = and_(chunks.c.chunk_id == held.id, state_in(chunks, [ChunkState.PREPARING]))
            values = {"reason": reason, "finished_at": now, "wake_after": None, "padding": 0}
            if not move_chunk(connection, which, ChunkState.CANCELLED, **values):
                return False
            # A record refused in this chunk, because it was sent before, has its outcome and stays.
            moved = and_(records.c.chunk_id == held.id, records.c.outcome.is_(None))
            connection.execute(records.delete().where(moved))
            add_chunks(connection, batch_id, new)
            count_again(connection, held.id)
            _count_change(connection, batch_id, held.id)
            choose_current(connection, held.id)
            return True


def _may_add(connection: Connection, batch_id: str, index: int) -> bool:
    """Tell whether a batch goes on and a number is free: one split at a time, under the model's lock."""
    cancelled = select(batches.c.cancelled).where(batches.c.batch_id == batch_id)
    if connection.execute(cancelled).scalar_one():
        return False
    return next_number(connection, batch_id) == index


def _count_change(connection: Connection, batch_id: str, chunk_id: str) -> None:
    """Let a settler that is at work notice; where a canary is split, the next chunk takes its place."""
    number = select(chunks.c.number).where(chunks.c.chunk_id == chunk_id).scalar_subquery()
    canary = case((number < batches.c.canary, batches.c.canary + 1), else_=batches.c.canary)
    row = update(batches).where(batches.c.batch_id == batch_id)
    connection.execute(row.values(changes=batches.c.changes + 1, canary=canary))


def _first_time(connection: Connection, batch_id: str, chunk_id: str) -> Mapping[int, Place]:
    """Return bucket and key of the chunk's files that were not measured again yet, by position."""
    same = and_(files.c.batch_id == batch_id, files.c.position == chunk_files.c.position)
    asked = select(files.c.position, files.c.bucket, files.c.s3_key).join(chunk_files, same)
    asked = asked.where(chunk_files.c.chunk_id == chunk_id, ~chunk_files.c.measured_again)
    return {row.position: (row.bucket, row.s3_key) for row in connection.execute(asked)}


def _with_results(connection: Connection, batch_id: str, chunk_id: str) -> Set[int]:
    """Return the files of the chunk of which an earlier round has a result."""
    here = and_(chunk_files.c.position == records.c.position, chunk_files.c.chunk_id == chunk_id)
    asked = select(records.c.position).join(chunk_files, here)
    asked = asked.where(records.c.batch_id == batch_id, records.c.outcome == Outcome.SUCCEEDED)
    return set(connection.execute(asked).scalars())


def _row(batch_id: str, chunk_id: str, each: Measured, place: Place | None) -> dict[str, object]:
    content_of = source(*place, each.etag) if place else None
    content = {"size": each.size_bytes, "tag": each.etag, "content": content_of}
    return {"batch": batch_id, "chunk": chunk_id, "at": each.position, **content}
