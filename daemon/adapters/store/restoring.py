"""Filling a lost store again: batches, files, chunks and jobs as S3 and Bedrock still know them.

Rows that are there stay. Whatever is written again is written as before, so that a run cut short is begun
anew. While a batch is restored it stands in PLANNING, where no chunk of it starts and nothing ends it.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select, update

from consumers.core.gate import ALL_MODELS
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.restored import RESTORING, RestoredChunk
from consumers.core.rows import Held, NewFile
from daemon.adapters.store.adding import add_chunks
from daemon.adapters.store.database import Database, insert, insert_new
from daemon.adapters.store.jobs import see
from daemon.adapters.store.leases import guard
from daemon.adapters.store.model_rows import lock_model
from daemon.adapters.store.money import commit_estimate
from daemon.adapters.store.moves import move_chunk
from daemon.adapters.store.plans import file_row
from daemon.adapters.store.reuse import add_links
from daemon.adapters.tables import batches, chunk_starts, chunks, files, jobs, models
from schemas.models import base_model

_MEASURED = ("size_bytes", "etag", "source", "tokens", "analysis_types", "code", "reason")


class Restoring:
    """Rows that come back."""

    database: Database

    def hold_submissions(self, reason: str, now: datetime) -> None:
        """Stop the submissions of all models, unless they are stopped for another reason already."""
        with self.database.write() as connection:
            lock_model(connection, ALL_MODELS)
            pause = update(models).where(models.c.model == ALL_MODELS, models.c.paused_reason.is_(None))
            connection.execute(pause.values(paused_reason=reason, paused_at=now))

    def free_submissions(self, reason: str) -> None:
        """Allow submissions again if they were stopped for this reason; other pauses stay."""
        with self.database.write() as connection:
            lock_model(connection, ALL_MODELS)
            mine = and_(models.c.model == ALL_MODELS, models.c.paused_reason == reason)
            connection.execute(update(models).where(mine).values(paused_reason=None, paused_at=None))

    def begin_restoring(self, held: Held) -> None:
        """Keep a batch that is not planned to its end from being planned by anybody else."""
        mine = and_(batches.c.batch_id == held.id, batches.c.state == BatchState.PLANNING)
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(
                update(batches).where(mine).values(cursor={"phase": RESTORING}, wake_after=None)
            )

    def restore_files(self, held: Held, files: Sequence[NewFile]) -> None:
        """Add the files that are missing, with what is reused of them as far as its results are there."""
        with self.database.write() as connection:
            guard(connection, held)
            insert_new(connection, _files, [file_row(held.id, file) for file in files])
            add_links(connection, held.id, files)

    def renew_files(self, held: Held, files: Sequence[NewFile]) -> None:
        """Store what a later plan says of files of a batch that is being restored."""
        planning = select(batches.c.state).where(batches.c.batch_id == held.id).scalar_subquery()
        renew = update(_files).where(
            _files.c.batch_id == held.id,
            _files.c.position == bindparam("at"),
            planning == BatchState.PLANNING,
        )
        values = {name: bindparam(f"new_{name}", type_=_files.c[name].type) for name in _MEASURED}
        with self.database.write() as connection:
            guard(connection, held)
            if files:
                connection.execute(renew.values(values), [_renewed(held.id, file) for file in files])

    def restore_chunks(self, held: Held, chunks: Sequence[RestoredChunk], now: datetime) -> None:
        """Add the chunks and jobs that are missing."""
        with self.database.write() as connection:
            for base in sorted({base_model(each.chunk.model) for each in chunks}):
                lock_model(connection, base)
            guard(connection, held)
            add_restored(connection, held.id, chunks, now)


_files = files


def add_restored(
    connection: Connection, batch_id: str, restored: Sequence[RestoredChunk], now: datetime
) -> None:
    """Add chunks that are missing, and jobs to those that have none; their model is locked."""
    ids = [each.chunk.chunk_id for each in restored]
    known = set(connection.execute(select(chunks.c.chunk_id).where(chunks.c.chunk_id.in_(ids))).scalars())
    add_chunks(connection, batch_id, [each.chunk for each in restored if each.chunk.chunk_id not in known])
    for each in restored:
        if each.chunk.output_uri:
            _let_read(connection, each.chunk.chunk_id)
        _give_job(connection, each, now)


def _let_read(connection: Connection, chunk_id: str) -> None:
    """Let a chunk whose output others wrote wait for its reading: it is never sent."""
    for state in (ChunkState.PREPARING, ChunkState.READY, ChunkState.ENDED):
        move_chunk(connection, chunks.c.chunk_id == chunk_id, state)


def _give_job(connection: Connection, restored: RestoredChunk, now: datetime) -> None:
    """Let a chunk have the job that Bedrock lists, as far as the job is by now."""
    report, chunk_id = restored.job, restored.chunk.chunk_id
    if report is None:
        return
    waiting = and_(chunks.c.chunk_id == chunk_id, chunk_starts)
    if connection.execute(select(chunks.c.state).where(waiting)).first() is not None:
        _claim(connection, restored, report, report.submitted_at or now)
    job = connection.execute(select(jobs).where(jobs.c.chunk_id == chunk_id)).first()
    if job is not None and job.arn in {None, report.arn}:
        see(connection, job, report, now)


def _claim(connection: Connection, restored: RestoredChunk, report: JobReport, at: datetime) -> None:
    """Give a chunk that waits its slot, as if it had claimed it when its job was submitted."""
    chunk_id = restored.chunk.chunk_id
    base = base_model(restored.chunk.model)
    claim = {"chunk_id": chunk_id, "base_model": base, "name": report.name, "token": restored.token}
    new = insert(connection, jobs).values(**claim, claimed_at=at).on_conflict_do_nothing()
    if connection.execute(new).rowcount:
        which = chunks.c.chunk_id == chunk_id
        move_chunk(connection, which, ChunkState.PREPARING, preparing_at=at)
        move_chunk(connection, which, ChunkState.READY, ready_at=at)
        commit_estimate(connection, chunk_id, at)


def _renewed(batch_id: str, file: NewFile) -> dict[str, object]:
    row = file_row(batch_id, file)
    return {"at": file.position, **{f"new_{name}": row[name] for name in _MEASURED}}
