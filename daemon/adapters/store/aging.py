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
    forgettings,
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


def _over(before: datetime) -> ColumnElement[bool]:
    """Return the condition that a batch ended before a time, and that nothing of it is still to be done."""
    mine = chunks.c.batch_id == batches.c.batch_id
    dirty, waits = exists().where(mine, chunk_uncleaned), exists().where(mine, unread())
    leaving = exists().where(forgettings.c.batch_id == batches.c.batch_id)
    ended = and_(state_in(batches, BATCH_ENDS), batches.c.finished_at < before)
    return and_(ended, ~batch_reparsing, ~dirty, ~waits, ~leaving)


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

    def results_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch that ended before a time, with all that it left in S3 and nothing open."""
        return self._next(_over(before), batches.c.results_removed_at.is_(None), after)

    def rows_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch that ended before a time and has its rows yet, its results being gone."""
        gone = batches.c.results_removed_at.is_not(None)
        return self._next(_over(before), and_(gone, batches.c.rows_removed_at.is_(None)), after)

    def _next(self, over: ColumnElement[bool], which: ColumnElement[bool], after: str) -> str | None:
        asked = select(func.min(batches.c.batch_id)).where(batches.c.batch_id > after, over, which)
        with self.database.read() as connection:
            found: str | None = connection.execute(asked).scalar_one()
        return found

    def results_removed(self, held: Held, now: datetime) -> None:
        """Store that what the held batch left in S3 is gone, raw lines too."""
        with self.database.write() as connection:
            guard(connection, held)
            raw = update(chunks).where(chunks.c.batch_id == held.id, chunk_has_raw)
            connection.execute(raw.values(raw_removed_at=now))
            gone = update(batches).where(batches.c.batch_id == held.id)
            connection.execute(gone.values(results_removed_at=now, wake_after=None))

    def is_due(self, timer: str, every: timedelta, now: datetime) -> bool:
        """Tell whether something is to be done again, and note that it is done now; one caller is told so."""
        with self.database.once() as connection:
            new = insert(connection, timers).values(name=timer, done_at=now)
            overdue = timers.c.done_at <= now - every
            again = new.on_conflict_do_update(
                index_elements=[timers.c.name], set_={"done_at": now}, where=overdue
            )
            return connection.execute(again.returning(timers.c.name)).first() is not None
