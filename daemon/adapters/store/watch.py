"""What the reconciler asks, and the notes rows keep of their troubles."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from consumers.core.gate import rest_of
from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState
from consumers.core.retention import SPLIT
from consumers.core.rows import Held, Waiting
from daemon.adapters.store.aging import settling
from daemon.adapters.store.database import Database, insert, pages
from daemon.adapters.store.leases import PLACES, guard, is_held
from daemon.adapters.store.unread import cut_short
from daemon.adapters.tables import (
    batch_open,
    batch_reparsing,
    batches,
    chunk_starts,
    chunk_uncleaned,
    chunk_unended,
    chunk_unread,
    chunks,
    findings,
    forgettings,
    job_open,
    jobs,
    record_unread,
    records,
    state_in,
)

A_WEEK = timedelta(days=7)
_SETTLED = delete(findings).where(
    findings.c.kind == bindparam("of_kind"), findings.c.subject.in_(bindparam("subjects", expanding=True))
)
_claimed = exists().where(jobs.c.chunk_id == chunks.c.chunk_id, jobs.c.arn.is_(None))


class Watch:
    """Rows that should move, and why they did not."""

    database: Database

    def failed(self, held: Held, kind: str, why: str, now: datetime) -> int:
        """Count a failure of the held row by kind and let the row rest; returns the count."""
        table, key = PLACES[held.kind]
        with self.database.write() as connection:
            guard(connection, held)
            failures = dict(connection.execute(select(table.c.failures).where(key == held.id)).scalar_one())
            times = int(failures.get(kind, 0)) + 1
            values = {
                "failures": {**failures, kind: times},
                "wake_after": now + rest_of(times),
                "last_error": why,
                "last_error_at": now,
            }
            connection.execute(update(table).where(key == held.id).values(values))
            return times

    def recovered(self, held: Held, kind: str) -> None:
        """Count the failures of a kind from nought; the row rests no more."""
        table, key = PLACES[held.kind]
        with self.database.write() as connection:
            guard(connection, held)
            failures = dict(connection.execute(select(table.c.failures).where(key == held.id)).scalar_one())
            if failures.pop(kind, None) is not None:
                values = {"failures": failures, "wake_after": None}
                connection.execute(update(table).where(key == held.id).values(values))

    def waiting(self, now: datetime, limit: int) -> Waiting:
        """Return rows that should move, that nobody holds and that do not rest."""
        with self.database.read() as connection:
            return Waiting(
                plans=_ids(connection, batches, _plans(), now, limit),
                submits=_ids(connection, chunks, _submits(), now, limit),
                ingests=_ids(connection, chunks, _ingests(), now, limit),
                settles=_ids(connection, batches, _settles(), now, limit),
                reparses=_ids(connection, batches, _reparses(), now, limit),
                forgets=_ids(connection, batches, _forgets(), now, limit),
                cleanups=_ids(connection, chunks, _cleanups(now), now, limit),
            )

    def models(self) -> Sequence[str]:
        """Return the models that have chunks not yet ended, one for each base model."""
        asked = select(func.min(chunks.c.model)).where(chunk_unended).group_by(chunks.c.base_model)
        with self.database.read() as connection:
            return sorted(connection.execute(asked).scalars())

    def find(self, kind: str, subject: str, detail: str, now: datetime) -> None:
        """Store a finding, or refresh it."""
        with self.database.once() as connection:
            new = insert(connection, findings).values(
                kind=kind, subject=subject, detail=detail, first_seen=now, last_seen=now
            )
            keys = [findings.c.kind, findings.c.subject]
            connection.execute(
                new.on_conflict_do_update(index_elements=keys, set_={"detail": detail, "last_seen": now})
            )

    def settled(self, kind: str, *subjects: str) -> None:
        """Forget findings that are so no more."""
        with self.database.once() as connection:
            for page in pages(subjects):
                connection.execute(_SETTLED, {"of_kind": kind, "subjects": list(page)})

    def forget_outlived(self, now: datetime) -> None:
        """Forget the findings whose cause is gone, and those that are a week old and stay as they are."""
        with self.database.once() as connection:
            connection.execute(delete(findings).where(or_(*_outlived(now))))


def _ids(
    connection: Connection, table: Table, which: ColumnElement[bool], now: datetime, limit: int
) -> tuple[str, ...]:
    key = table.c.batch_id if table is batches else table.c.chunk_id
    awake = or_(table.c.wake_after.is_(None), table.c.wake_after <= now)
    asked = select(key).where(which, awake, ~is_held(table)).order_by(key).limit(limit)
    return tuple(connection.execute(asked).scalars())


def _outlived(now: datetime) -> Iterator[ColumnElement[bool]]:
    kind, about = findings.c.kind, findings.c.subject
    chunk_rests = exists().where(chunks.c.chunk_id == about, chunks.c.wake_after.is_not(None))
    batch_rests = exists().where(batches.c.batch_id == about, batches.c.wake_after.is_not(None))
    yield and_(kind.endswith("_failing", autoescape=True), ~chunk_rests, ~batch_rests)
    open_job = exists().where(jobs.c.arn == about, job_open)
    yield and_(kind.in_(["job_unknown", "job_not_stopped", "job_not_asked"]), ~open_job)
    wanted = exists().where(chunks.c.model == about, chunk_unended)
    yield and_(kind == "model_unknown", ~wanted)
    yield and_(kind.in_(["plan_failed", "key_unknown"]), findings.c.last_seen < now - A_WEEK)


def _plans() -> ColumnElement[bool]:
    return and_(batch_open, state_in(batches, [BatchState.PLANNING]))


def _submits() -> ColumnElement[bool]:
    """Chunks that somebody left half-way, that have rested, or whose batch was cancelled or stopped."""
    halfway = or_(state_in(chunks, [ChunkState.PREPARING]), chunks.c.lease_until.is_not(None), _claimed)
    batch: Any = select(batches.c.batch_id).where(batches.c.batch_id == chunks.c.batch_id)
    cancelled = batch.where(or_(batches.c.cancelled, batches.c.stopped != "")).exists()
    planned = batch.where(batches.c.state != BatchState.PLANNING).exists()
    return and_(chunk_starts, or_(halfway, chunks.c.wake_after.is_not(None), cancelled), planned)


def _ingests() -> ColumnElement[bool]:
    """Chunks with output not stored: just ended, or FAILED because it could not be read to its end."""
    waits = chunks.c.chunk_id.in_(select(records.c.chunk_id).where(record_unread))
    late = and_(
        state_in(chunks, [ChunkState.FAILED]),
        chunks.c.cleaned_at.is_(None),
        or_(waits, cut_short),
    )
    return or_(chunk_unread, late)


def _settles() -> ColumnElement[bool]:
    before = or_(batches.c.canary.is_(None), chunks.c.number < batches.c.canary)
    left = exists().where(chunks.c.batch_id == batches.c.batch_id, chunk_unended, before)
    return and_(batch_open, state_in(batches, [BatchState.PLANNED, BatchState.RUNNING]), ~left)


def _reparses() -> ColumnElement[bool]:
    """Ended batches whose reparse somebody left half-way."""
    return and_(batch_reparsing, state_in(batches, BATCH_ENDS))


def _forgets() -> ColumnElement[bool]:
    """Ended batches that a file is leaving."""
    leaving = exists().where(forgettings.c.batch_id == batches.c.batch_id)
    return and_(state_in(batches, BATCH_ENDS), leaving)


def _cleanups(now: datetime) -> ColumnElement[bool]:
    """Chunks whose folders nobody needs, and into which Bedrock writes no more."""
    split = and_(state_in(chunks, [ChunkState.CANCELLED]), chunks.c.reason.startswith(f"{SPLIT}:"))
    return and_(chunk_uncleaned, or_(state_in(chunks, [ChunkState.COMPLETED]), split), ~settling(now))
