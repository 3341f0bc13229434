"""Filling a lost store again: chunks that were split, how chunks and batches had ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, select, true, update

from consumers.core.lifecycle import BATCH_ENDS, BatchState, ChunkState
from consumers.core.restored import UNKNOWN, ChunkEnd, RestoredChunk, Standing
from consumers.core.retention import SPLIT
from consumers.core.rows import Held
from daemon.adapters.store.current import choose_current
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.model_rows import lock_model, model_of
from daemon.adapters.store.money import commit_cost
from daemon.adapters.store.moves import move_batch, move_chunk
from daemon.adapters.store.records import count_again
from daemon.adapters.store.restoring import add_restored
from daemon.adapters.store.sums import spent_on
from daemon.adapters.tables import batches, chunk_files, chunk_starts, chunks, files, jobs, records, state_in

_LOST = "it was REFUSED while its chunk was staged, and why went with the database: retry the batch"
_later = records.alias("later")
_outdone = (
    select(_later.c.attempt)
    .where(
        _later.c.batch_id == records.c.batch_id,
        _later.c.position == records.c.position,
        _later.c.analysis_type == records.c.analysis_type,
        _later.c.attempt > records.c.attempt,
    )
    .exists()
)


class RestoredEnds:
    """Ends that come back."""

    database: Database

    def restore_split(self, held: Held, chunk_id: str, new: Sequence[RestoredChunk], now: datetime) -> bool:
        """Put the records of a chunk into the new ones it was split into; False if it has a job, or is gone.

        What the new ones do not send was REFUSED before the split.
        """
        with self.database.write() as connection:
            lock_model(connection, model_of(connection, chunk_id))
            guard(connection, held)
            reason = f"{SPLIT}: it was too large, and its files went into new chunks"
            which = and_(chunks.c.chunk_id == chunk_id, state_in(chunks, [ChunkState.PLANNED]))
            values = {"reason": reason, "finished_at": now, "padding": 0}
            if not move_chunk(connection, which, ChunkState.CANCELLED, **values):
                return False
            connection.execute(delete(records).where(records.c.chunk_id == chunk_id))
            add_restored(connection, held.id, new, now)
            _refuse_left(connection, held.id, chunk_id, [each.chunk.chunk_id for each in new])
            count_again(connection, chunk_id)
            return True

    def restore_end(self, held: Held, chunk_id: str, end: ChunkEnd) -> None:
        """Move a restored chunk to its end, with its true cost; unknown outcomes become that of the end."""
        with self.database.write() as connection:
            lock_model(connection, model_of(connection, chunk_id))
            guard(connection, held)
            row = _chunk_with_job(connection, chunk_id)
            at = row.ended_at or row.created_at
            which = chunks.c.chunk_id == chunk_id
            values: dict[str, object] = {"reason": end.reason, "finished_at": at, **_padding(end)}
            if end.state is ChunkState.COMPLETED:
                move_chunk(connection, which, ChunkState.PREPARING, preparing_at=at)
                values["results_fetched_at"] = at
            if not move_chunk(connection, which, end.state, **values):
                return
            _close(connection, chunk_id, end, at)
            count_again(connection, chunk_id)
            _weigh_again(connection, chunk_id)
            if row.name is not None:
                commit_cost(connection, chunk_id, spent_on(connection, chunk_id).cost_usd, at)

    def outdone_chunks(self, batch_id: str) -> Sequence[str]:
        """Return the chunks without a job of which a record was sent again since: they had ended."""
        asked = select(chunks.c.chunk_id).where(chunks.c.batch_id == batch_id, chunk_starts)
        sent_again = and_(records.c.chunk_id == chunks.c.chunk_id, _outdone)
        asked = asked.where(~_has_job, select(records.c.position).where(sent_again).exists())
        with self.database.read() as connection:
            return connection.execute(asked.order_by(chunks.c.number)).scalars().all()

    def choose_restored(self, held: Held) -> None:
        """Choose for every record that was sent several times which attempt counts."""
        mine = and_(chunks.c.batch_id == held.id, chunks.c.round > 0)
        with self.database.write() as connection:
            guard(connection, held)
            older = update(records).where(records.c.batch_id == held.id, _outdone)
            connection.execute(older.values(superseded=true()))
            later = connection.execute(select(chunks.c.chunk_id).where(mine)).scalars().all()
        for chunk_id in later:
            with self.database.write() as connection:
                guard(connection, held)
                choose_current(connection, chunk_id)

    def end_restoring(self, held: Held, standing: Standing, now: datetime) -> BatchState:
        """Let a restored batch go on from where it stood, or be ended as it was; returns its state.

        One that stands further in the store already is left as it is.
        """
        which = batches.c.batch_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            row = connection.execute(select(batches).where(which)).one()
            if _may_stand(row, standing):
                _stand(connection, row, standing, now)
            return BatchState(connection.execute(select(batches.c.state).where(which)).scalar_one())


_has_job = select(jobs.c.chunk_id).where(jobs.c.chunk_id == chunks.c.chunk_id).exists()


def _refuse_left(connection: Connection, batch_id: str, old: str, new: Sequence[str]) -> None:
    """Mark the files REFUSED that neither the new chunks of a split nor any other send."""
    kept = select(chunk_files.c.position).where(chunk_files.c.chunk_id.in_(new))
    mine = select(chunk_files.c.position).where(chunk_files.c.chunk_id == old)
    sent = select(records.c.position).where(records.c.batch_id == batch_id)
    left = and_(files.c.batch_id == batch_id, files.c.position.in_(mine), files.c.position.not_in(kept))
    refuse = update(files).where(left, files.c.position.not_in(sent), files.c.code == "")
    connection.execute(refuse.values(code=UNKNOWN, reason=_LOST))


def _chunk_with_job(connection: Connection, chunk_id: str) -> Row[*tuple[Any, ...]]:
    asked = select(chunks.c.created_at, jobs.c.name, jobs.c.ended_at)
    found = asked.outerjoin(jobs, jobs.c.chunk_id == chunks.c.chunk_id).where(chunks.c.chunk_id == chunk_id)
    return connection.execute(found).one()


def _padding(end: ChunkEnd) -> dict[str, object]:
    if end.padding is None:
        return {}
    return {
        "padding": end.padded,
        "padding_input_tokens": end.padding.input_tokens,
        "padding_output_tokens": end.padding.output_tokens,
        "padding_cost_usd": end.padding.cost_usd,
    }


def _close(connection: Connection, chunk_id: str, end: ChunkEnd, at: datetime) -> None:
    unknown = update(records).where(records.c.chunk_id == chunk_id, records.c.outcome.is_(None))
    values = {"outcome": end.outcome, "error_code": end.code, "error_message": end.message}
    connection.execute(unknown.values(**values, created_at=at))


def _weigh_again(connection: Connection, chunk_id: str) -> None:
    """Count the bytes of a chunk anew if files of it were REFUSED."""
    mine = and_(files.c.batch_id == chunks.c.batch_id, files.c.position == chunk_files.c.position)
    kept = select(func.coalesce(func.sum(files.c.size_bytes), 0)).select_from(chunk_files).join(files, mine)
    kept = kept.where(chunk_files.c.chunk_id == chunk_id, ~chunk_files.c.refused).correlate(chunks)
    gone = select(chunk_files.c.position).where(chunk_files.c.chunk_id == chunk_id, chunk_files.c.refused)
    row = update(chunks).where(chunks.c.chunk_id == chunk_id, gone.exists())
    connection.execute(row.values(bytes=kept.scalar_subquery()))


def _may_stand(row: Row[Any], standing: Standing) -> bool:
    """Tell whether what is known elsewhere is as new as what the store knows."""
    if BatchState(row.state) in BATCH_ENDS:
        return bool(row.revision < standing.revision)
    return bool(row.revision <= standing.revision)


def _stand(connection: Connection, row: Row[Any], standing: Standing, now: datetime) -> None:
    which = batches.c.batch_id == row.batch_id
    values: dict[str, Any] = {"revision": standing.revision, "round": max(row.round, standing.round)}
    if row.revision < standing.revision or row.state == BatchState.PLANNING:
        values |= {"retried": standing.retried, "first_round": standing.first_round}
    if row.state == BatchState.PLANNING:
        cursor = {**standing.cursor, "phase": "finish"}
        canary = _canary(connection, row.batch_id, standing)
        values["stopped"] = standing.stopped
        move_batch(connection, which, BatchState.PLANNED, cursor=cursor, canary=canary, wake_after=None)
    mine = select(jobs.c.ended_at).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
    mine = mine.where(chunks.c.batch_id == row.batch_id)
    ended = standing.end is not None or BatchState(row.state) in BATCH_ENDS
    if ended or connection.execute(mine).first() is not None:
        move_batch(connection, which, BatchState.RUNNING, reason="", finished_at=None)
    connection.execute(update(batches).where(which).values(values))
    if standing.end is not None:
        last = connection.execute(select(func.max(mine.subquery().c.ended_at))).scalar_one()
        move_batch(connection, which, standing.end, reason=standing.reason, finished_at=last or now)


def _canary(connection: Connection, batch_id: str, standing: Standing) -> int | None:
    """Hold back what comes after the first chunks again, unless a job behind them has let it through."""
    planned = select(func.count()).where(chunks.c.batch_id == batch_id)
    behind = select(jobs.c.chunk_id).join(chunks, chunks.c.chunk_id == jobs.c.chunk_id)
    behind = behind.where(chunks.c.batch_id == batch_id, chunks.c.number >= standing.canary)
    if not 0 < standing.canary < connection.execute(planned).scalar_one() or standing.round:
        return None
    return None if connection.execute(behind).first() is not None else standing.canary
