"""What has lain for long, and when somebody last looked after it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from consumers.core.lifecycle import BATCH_ENDS, ChunkState
from consumers.core.retention import CUT_SHORT, SETTLING
from consumers.core.rows import Held
from daemon.adapters.store.database import Database, insert
from daemon.adapters.store.leases import guard
from daemon.adapters.tables import (
    batch_reparsing,
    batches,
    chunk_has_raw,
    chunk_uncleaned,
    chunks,
    jobs,
    record_unread,
    records,
    state_in,
    timers,
)


def settling(now: datetime) -> ColumnElement[bool]:
    """Return the condition that Bedrock may still write into a chunk's folder."""
    cut_short = and_(jobs.c.chunk_id == chunks.c.chunk_id, jobs.c.status.in_(sorted(CUT_SHORT)))
    return exists().where(cut_short, jobs.c.ended_at > now - SETTLING)


def unread() -> ColumnElement[bool]:
    """Return the condition that a chunk has output that is paid for and could not be read so far."""
    return exists().where(record_unread, records.c.chunk_id == chunks.c.chunk_id)


class Aging:
    """Rows by their age."""

    database: Database

    def cleanable(self, before: datetime, limit: int, after: str = "") -> Sequence[str]:
        """Return ended chunks that left something to clean, by id, beginning after one."""
        old = and_(chunk_uncleaned, chunks.c.finished_at < before, chunks.c.chunk_id > after)
        asked = select(chunks.c.chunk_id).where(old).order_by(chunks.c.chunk_id).limit(limit)
        with self.database.read() as connection:
            return connection.execute(asked).scalars().all()

    def owner_of(self, folder: str) -> str | None:
        """Return the chunk that a folder belongs to."""
        with self.database.read() as connection:
            asked = select(chunks.c.chunk_id).where(chunks.c.folder == folder)
            found: str | None = connection.execute(asked).scalar_one_or_none()
        return found

    def reader_of(self, uri: str) -> str | None:
        """Return a chunk that is to be read from a place, or from one above or below it, and is not yet."""
        above = func.substr(uri, 1, func.length(chunks.c.output_uri)) == chunks.c.output_uri
        below = func.substr(chunks.c.output_uri, 1, len(uri)) == uri
        which = and_(or_(above, below), ~state_in(chunks, [ChunkState.COMPLETED]))
        with self.database.read() as connection:
            found: str | None = connection.execute(
                select(func.min(chunks.c.chunk_id)).where(which)
            ).scalar_one()
        return found

    def raw_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch that ended before a time and has its raw lines yet, all of them read."""
        its = chunks.alias()
        its_chunk = and_(its.c.chunk_id == records.c.chunk_id, its.c.batch_id == batches.c.batch_id)
        unread = exists().where(record_unread, its_chunk)
        ended = and_(state_in(batches, BATCH_ENDS), batches.c.finished_at < before)
        old = and_(ended, ~batch_reparsing, ~unread)
        asked = (
            select(func.min(chunks.c.batch_id))
            .join(batches, batches.c.batch_id == chunks.c.batch_id)
            .where(chunk_has_raw, chunks.c.batch_id > after, old)
        )
        with self.database.read() as connection:
            found: str | None = connection.execute(asked).scalar_one()
        return found

    def raw_removed(self, held: Held, now: datetime) -> None:
        """Store that the raw lines of the held batch are gone."""
        gone = update(chunks).where(chunks.c.batch_id == held.id, chunk_has_raw)
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(gone.values(raw_removed_at=now))
            rested = update(batches).where(batches.c.batch_id == held.id)
            connection.execute(rested.values(wake_after=None))

    def is_due(self, timer: str, every: timedelta, now: datetime) -> bool:
        """Tell whether something is to be done again, and note that it is done now; one caller is told so."""
        with self.database.once() as connection:
            new = insert(connection, timers).values(name=timer, done_at=now)
            overdue = timers.c.done_at <= now - every
            again = new.on_conflict_do_update(
                index_elements=[timers.c.name], set_={"done_at": now}, where=overdue
            )
            return connection.execute(again.returning(timers.c.name)).first() is not None
