"""Chunks: reading them with their files, and their way to an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, select, update

from consumers.core.layout import parse_chunk_id
from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState, JobStatus
from consumers.core.rows import Chunk, ChunkFile, Held, Job, JobCounts, SentRecord, Verb
from daemon.adapters.store.attempts import file_pages
from daemon.adapters.store.auditing import note
from daemon.adapters.store.current import choose_page
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.model_rows import count_failure, count_success, lock_model, model_of
from daemon.adapters.store.money import commit_cost
from daemon.adapters.store.moves import WORKED, move_batch, move_chunk
from daemon.adapters.store.slots import free_claim
from daemon.adapters.store.sums import spent_on
from daemon.adapters.store.unread import is_unread
from daemon.adapters.tables import (
    UNREAD,
    batches,
    chunk_files,
    chunks,
    files,
    jobs,
    models,
    record_unread,
    records,
    state_in,
)
from schemas.messages import Terms
from schemas.outcomes import Outcome

_JOB = (
    jobs.c.name,
    jobs.c.token,
    jobs.c.arn,
    jobs.c.status,
    jobs.c.message,
    jobs.c.claimed_at,
    jobs.c.submitted_at,
    jobs.c.ended_at,
    jobs.c.total,
    jobs.c.processed,
    jobs.c.succeeded,
    jobs.c.failed,
)
_proven = exists().where(models.c.model == chunks.c.base_model, models.c.proven)
_CHUNK = (
    select(
        chunks,
        batches.c.terms,
        batches.c.cancelled,
        is_unread.label("unread"),
        _proven.label("proven"),
        *_JOB,
    )
    .join(batches, batches.c.batch_id == chunks.c.batch_id)
    .outerjoin(jobs, jobs.c.chunk_id == chunks.c.chunk_id)
    .where(chunks.c.chunk_id == bindparam("id"))
)
_GOOD = (Outcome.SUCCEEDED.value, Outcome.TRUNCATED.value)


class Chunks:
    """The chunk rows."""

    database: Database
    actor: str

    def chunk(self, chunk_id: str) -> Chunk | None:
        """Return one chunk."""
        with self.database.read() as connection:
            return read_chunk(connection, chunk_id)

    def chunk_files(self, chunk_id: str) -> Sequence[ChunkFile]:
        """Return the files of a chunk that are not refused, in order, with the records to send."""
        asked = (
            select(files, chunk_files.c.safe_name, chunk_files.c.measured_again)
            .join(chunk_files, chunk_files.c.position == files.c.position)
            .join(
                chunks,
                and_(chunks.c.chunk_id == chunk_files.c.chunk_id, chunks.c.batch_id == files.c.batch_id),
            )
            .where(chunks.c.chunk_id == chunk_id, ~chunk_files.c.refused)
            .order_by(files.c.position)
        )
        with self.database.read() as connection:
            sent = _sent(connection, chunk_id)
            return [_chunk_file(row, sent) for row in connection.execute(asked)]

    def staged(self, held: Held, padding: int, bytes: int, now: datetime) -> None:
        """PREPARING → READY."""
        with self.database.write() as connection:
            guard(connection, held)
            which = and_(chunks.c.chunk_id == held.id, state_in(chunks, [ChunkState.PREPARING]))
            values = {"padding": padding, "bytes": bytes, "ready_at": now}
            move_chunk(connection, which, ChunkState.READY, **values, **WORKED)

    def end_chunk(self, held: Held, state: ChunkState, reason: str, now: datetime) -> str | None:
        """Move a chunk to an end, with its true cost; returns why its model pauses itself, if it does.

        Which attempt of each record counts is chosen before that, in short transactions.
        """
        self.choose_attempts(held)
        with self.database.read() as connection:
            brought = _brought(connection, held.id)
        with self.database.write() as connection:
            model = lock_model(connection, model_of(connection, held.id)).model
            guard(connection, held)
            which = chunks.c.chunk_id == held.id
            before = connection.execute(select(chunks.c.state, chunks.c.batch_id).where(which)).one()
            if not move_chunk(connection, which, state, **_end(state, ChunkState(before.state), reason, now)):
                return None
            if has_job := free_claim(connection, held.id):
                commit_cost(connection, held.id, brought.cost, now)
            _count_change(connection, before.batch_id)
            if before.state == ChunkState.FAILED:
                _reopen(connection, before.batch_id)
            paused = _count_streak(connection, model, held.id, state, brought, reason, now)
            self._note_end(connection, held, state, reason, brought.cost if has_job else Decimal(0))
            if paused is not None:
                note(connection, self.actor, Verb.PAUSE, model, detail=paused)
            return paused

    def _note_end(
        self, connection: Connection, held: Held, state: ChunkState, reason: str, cost: Decimal | None
    ) -> None:
        """Note a chunk's end with its true cost, None where that is not known."""
        batch_id, detail = parse_chunk_id(held.id).batch_id, f"{state}: {reason}" if reason else state.value
        note(connection, self.actor, Verb.END_CHUNK, held.id, batch_id=batch_id, detail=detail, cost_usd=cost)

    def choose_attempts(self, held: Held) -> None:
        """Choose the current attempts of a chunk that may have brought another than the first."""
        batch_id = parse_chunk_id(held.id).batch_id
        with self.database.read() as connection:
            asked = select(chunks.c.round, chunks.c.state).where(chunks.c.chunk_id == held.id)
            chunk = connection.execute(asked).one()
        if chunk.round == 0 and chunk.state != ChunkState.FAILED:
            return
        for page in file_pages(self.database, held.id):
            with self.database.write() as connection:
                guard(connection, held)
                choose_page(connection, batch_id, page)

    def output_came_late(self, held: Held, kind: str, why: str, now: datetime) -> None:
        """Make a chunk's MISSING records unread again, and the chunk FAILED until they are read."""
        missing = and_(records.c.chunk_id == held.id, records.c.outcome == Outcome.MISSING)
        which = chunks.c.chunk_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            unread = {"error_code": UNREAD, "error_message": why}
            connection.execute(update(records).where(missing).values(unread))
            completed = and_(which, state_in(chunks, [ChunkState.COMPLETED]))
            move_chunk(connection, completed, ChunkState.FAILED, reason=why)
            failures = dict(connection.execute(select(chunks.c.failures).where(which)).scalar_one())
            counted = {**failures, kind: int(failures.get(kind, 0)) + 1}
            noted = {"failures": counted, "last_error": why, "last_error_at": now}
            connection.execute(update(chunks).where(which).values(noted))

    def cleaned(self, held: Held, objects: int, bytes: int, now: datetime) -> None:
        """Store that a chunk's folders are gone."""
        with self.database.write() as connection:
            guard(connection, held)
            clean = update(chunks).where(chunks.c.chunk_id == held.id, chunks.c.cleaned_at.is_(None))
            values = {"cleaned_at": now, "cleaned_objects": objects, "cleaned_bytes": bytes}
            connection.execute(clean.values(wake_after=None, **values))


def read_chunk(connection: Connection, chunk_id: str) -> Chunk | None:
    """Read a chunk with its batch's terms and its job."""
    row = connection.execute(_CHUNK, {"id": chunk_id}).first()
    return _chunk(row) if row else None


def _chunk(row: Row[Any]) -> Chunk:
    return Chunk(
        chunk_id=row.chunk_id,
        batch_id=row.batch_id,
        index=row.number,
        round=row.round,
        state=ChunkState(row.state),
        model=row.model,
        terms=Terms.model_validate(row.terms),
        folder=row.folder,
        files=row.files,
        records=row.records,
        padding=row.padding,
        bytes=row.bytes,
        cancelled=row.cancelled,
        created_at=row.created_at,
        ready_at=row.ready_at,
        cleaned_at=row.cleaned_at,
        last_error=row.last_error,
        failures=row.failures,
        unread=row.unread,
        job=_job(row) if row.name else None,
        estimate_usd=row.estimate_usd,
        reason=row.reason,
        wake_after=row.wake_after,
        proven=row.proven,
        output_uri=row.output_uri or "",
    )


def _job(row: Row[Any]) -> Job:
    return Job(
        row.chunk_id,
        row.name,
        row.token,
        row.arn,
        JobStatus(row.status) if row.status else None,
        row.message,
        row.claimed_at,
        row.submitted_at,
        row.ended_at,
        JobCounts(row.total, row.processed, row.succeeded, row.failed),
    )


def _sent(connection: Connection, chunk_id: str) -> dict[int, list[SentRecord]]:
    asked = select(records.c.position, records.c.analysis_type, records.c.attempt, records.c.max_tokens)
    sent: dict[int, list[SentRecord]] = {}
    for row in connection.execute(asked.where(records.c.chunk_id == chunk_id)):
        record = SentRecord(row.analysis_type, row.attempt, row.max_tokens)
        sent.setdefault(row.position, []).append(record)
    return sent


def _chunk_file(row: Row[Any], sent: dict[int, list[SentRecord]]) -> ChunkFile:
    order = {name: place for place, name in enumerate(row.analysis_types)}
    mine = sorted(sent.get(row.position, ()), key=lambda record: order.get(record.analysis_type, len(order)))
    return ChunkFile(
        row.position,
        row.file_id,
        row.bucket,
        row.s3_key,
        row.size_bytes,
        row.etag,
        row.local_path,
        row.safe_name,
        row.context,
        tuple(mine),
        row.measured_again,
        row.tokens,
    )


def _end(state: ChunkState, before: ChunkState, reason: str, now: datetime) -> dict[str, object]:
    """Return what is written with an end; a FAILED chunk keeps its rest, its output may be read yet."""
    values: dict[str, object] = {"reason": reason, "finished_at": now}
    if state is ChunkState.FAILED:
        return {**values, "last_error": reason, "last_error_at": now}
    if before in {ChunkState.ENDED, ChunkState.FAILED}:
        values["results_fetched_at"] = now
    return {**values, "wake_after": None}


@dataclass(frozen=True, slots=True)
class _Brought:
    """What a chunk brought: its cost, whether a record of it is good, whether its output waits to be read."""

    cost: Decimal | None
    good: bool
    unread: bool


def _brought(connection: Connection, chunk_id: str) -> _Brought:
    """Sum a chunk up; only its holder writes its records, so nothing is locked for that."""
    good = exists().where(records.c.chunk_id == chunk_id, records.c.outcome.in_(_GOOD))
    unread = exists().where(records.c.chunk_id == chunk_id, record_unread)
    found = connection.execute(select(good.label("good"), unread.label("unread"))).one()
    return _Brought(spent_on(connection, chunk_id).cost_usd, found.good, found.unread)


def _count_streak(
    connection: Connection,
    model: str,
    chunk_id: str,
    state: ChunkState,
    brought: _Brought,
    reason: str,
    now: datetime,
) -> str | None:
    """Count a failure as a whole; a success sets it back, a chunk without either changes nothing.

    No failure of the model is what a cancel stopped, or output that is there and could not be read. Returns
    why the model pauses itself, if it does.
    """
    failed = state is ChunkState.FAILED and not brought.unread
    if failed and not _is_cancelled(connection, chunk_id):
        return count_failure(connection, model, reason, now)
    if state is ChunkState.COMPLETED and brought.good:
        count_success(connection, model)
    return None


def _is_cancelled(connection: Connection, chunk_id: str) -> bool:
    asked = select(batches.c.cancelled).join(chunks, chunks.c.batch_id == batches.c.batch_id)
    return bool(connection.execute(asked.where(chunks.c.chunk_id == chunk_id)).scalar_one())


def _count_change(connection: Connection, batch_id: str) -> None:
    """Let a settler that is at work notice that a chunk ended."""
    row = update(batches).where(batches.c.batch_id == batch_id)
    connection.execute(row.values(changes=batches.c.changes + 1))


def _reopen(connection: Connection, batch_id: str) -> None:
    """Open an ended batch again for results that came late: it settles with a new revision."""
    which = and_(batches.c.batch_id == batch_id, state_in(batches, BATCH_ENDS))
    move_batch(connection, which, BatchState.RUNNING, revision=batches.c.revision + 1, finished_at=None)
