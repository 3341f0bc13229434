"""Taking in output of others: its files and records come page by page, its chunk ends with the last."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from consumers.core.foreign import PlacedFile
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Held, NewChunk, NewFile, Verb
from daemon.adapters.store.adding import add_chunks
from daemon.adapters.store.auditing import note
from daemon.adapters.store.database import Database, insert, insert_new, pages
from daemon.adapters.store.leases import guard
from daemon.adapters.store.money import day_of
from daemon.adapters.store.moves import move_batch, move_chunk
from daemon.adapters.store.plans import file_row, move_cursor
from daemon.adapters.store.records import count_again
from daemon.adapters.tables import batches, chunks, files, jobs
from schemas.models import base_model


class Adopting:
    """Batches that were not planned here."""

    database: Database
    actor: str

    def placed_files(self, batch_id: str, file_ids: Sequence[str]) -> Mapping[str, PlacedFile]:
        """Return place and analysis types of those of the files that are there already, by id."""
        columns = select(files.c.file_id, files.c.position, files.c.analysis_types)
        found: dict[str, PlacedFile] = {}
        with self.database.read() as connection:
            for page in pages(file_ids):
                asked = columns.where(files.c.batch_id == batch_id, files.c.file_id.in_(page))
                for row in connection.execute(asked):
                    found[row.file_id] = PlacedFile(row.position, tuple(row.analysis_types))
        return found

    def adopt_page(
        self, held: Held, chunk: NewChunk, files: Sequence[NewFile], cursor: Mapping[str, object]
    ) -> None:
        """Add files and the records that ``chunk`` has of them, and move the cursor, in one transaction.

        A file that is there already has other types by now.
        """
        rows = [file_row(held.id, file) for file in files]
        with self.database.write() as connection:
            move_cursor(connection, held, cursor)
            add_chunks(connection, held.id, [chunk])
            if rows:
                new = insert(connection, _files)
                types = {"analysis_types": new.excluded.analysis_types}
                keys = [_files.c.batch_id, _files.c.position]
                connection.execute(new.on_conflict_do_update(index_elements=keys, set_=types), rows)

    def end_adopting(
        self, held: Held, chunk_id: str, padding: int, job: JobReport | None, why: str, now: datetime
    ) -> None:
        """Let the chunk be read, with its job where one is known; ``why`` nothing of the batch is bought.

        What it cost counts on the day of the job, not on the day it was taken in.
        """
        which = chunks.c.chunk_id == chunk_id
        with self.database.write() as connection:
            guard(connection, held)
            count_again(connection, chunk_id)
            for state in (ChunkState.PREPARING, ChunkState.READY, ChunkState.ENDED):
                move_chunk(connection, which, state)
            connection.execute(update(chunks).where(which).values(padding=padding))
            if job is not None:
                _add_job(connection, chunk_id, job, now)
            mine = batches.c.batch_id == held.id
            if move_batch(connection, mine, BatchState.PLANNED, stopped=why, wake_after=None):
                what = job.arn if job is not None else "output without a job"
                note(connection, self.actor, Verb.ADOPT, chunk_id, batch_id=held.id, detail=what)
            move_batch(connection, mine, BatchState.RUNNING)


_files = files


def _add_job(connection: Connection, chunk_id: str, job: JobReport, now: datetime) -> None:
    submitted = job.submitted_at or job.ended_at or now
    row = {
        "chunk_id": chunk_id,
        "base_model": base_model(job.model),
        "name": job.name,
        "token": job.token,
        "arn": job.arn,
        "status": job.status,
        "message": job.message,
        "total": job.counts.total,
        "processed": job.counts.processed,
        "succeeded": job.counts.succeeded,
        "failed": job.counts.failed,
        "claimed_at": submitted,
        "submitted_at": submitted,
        "ended_at": job.ended_at or now,
    }
    insert_new(connection, jobs, [row])
    counted = update(chunks).where(chunks.c.chunk_id == chunk_id)
    connection.execute(counted.values(committed_on=day_of(submitted)))
