"""The records of a chunk and what else was sent of their files, a page of files at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, select

from daemon.adapters.store.database import Database
from daemon.adapters.tables import chunk_files, records

FILES_AT_ONCE = 500
KEY = ("position", "analysis_type", "attempt")
by_key = [records.c.batch_id == bindparam("batch"), *(records.c[name] == bindparam(name) for name in KEY)]
"""The condition that finds one record by its whole key; ``batch`` and KEY are its parameters."""

_TOLD = ("chunk_id", "superseded", "outcome", "error_code", "repaired", "reused_from")


def at(batch_id: str, positions: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a record is about one of these files, in order, and at least one.

    By the first of its whole key, and within bounds: without statistics a planner may walk through a whole
    batch otherwise.
    """
    within = records.c.position.between(positions[0], positions[-1])
    return and_(records.c.batch_id == batch_id, within, records.c.position.in_(positions))


def sent_in(chunk_id: str) -> ColumnElement[bool]:
    """Return the condition that a record was sent in a chunk, put so that no index is used for it.

    For pages of files: by the index a database would walk through the whole chunk for each of them.
    """
    return func.coalesce(records.c.chunk_id, "") == chunk_id


def file_pages(database: Database, chunk_id: str) -> Iterator[Sequence[int]]:
    """Return the positions of a chunk's files in order, in pages; nothing is open between two of them."""
    after: int | None = -1
    while after is not None:
        with database.read() as connection:
            page, after = files_after(connection, chunk_id, after)
        if page:
            yield page


def files_after(connection: Connection, chunk_id: str, after: int) -> tuple[Sequence[int], int | None]:
    """Return a page of the positions of a chunk's files, and the last of it; None where there is no more."""
    mine = select(chunk_files.c.position).where(chunk_files.c.chunk_id == chunk_id)
    asked = mine.where(chunk_files.c.position > after).order_by(chunk_files.c.position)
    page = connection.execute(asked.limit(FILES_AT_ONCE)).scalars().all()
    return page, page[-1] if len(page) == FILES_AT_ONCE else None


def attempts(
    connection: Connection, batch_id: str, positions: Sequence[int], which: ColumnElement[bool] | None = None
) -> Sequence[Row[Any]]:
    """Read the attempts of the records of some files, of all chunks, in order; the long texts stay behind."""
    asked = select(*(records.c[name] for name in (*KEY, *_TOLD))).where(at(batch_id, positions))
    asked = asked if which is None else asked.where(which)
    return connection.execute(asked.order_by(*(records.c[name] for name in KEY))).all()
