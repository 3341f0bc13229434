"""Which attempt of a record counts: a worse outcome never takes the place of a better one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from daemon.adapters.store.attempts import KEY, attempts, by_key, files_after
from daemon.adapters.store.many import ForMany
from daemon.adapters.tables import batches, chunks, records
from schemas.outcomes import Outcome

_SUPERSEDE = ForMany(
    update(records).where(*by_key).values(superseded=bindparam("superseded")),
    (*KEY, "superseded"),
    ("batch",),
)


def choose_current(connection: Connection, chunk_id: str) -> None:
    """Choose again among all attempts of a chunk's records, now that their outcomes are known."""
    asked = select(chunks.c.batch_id).where(chunks.c.chunk_id == chunk_id)
    batch_id = connection.execute(asked).scalar_one()
    after: int | None = -1
    while after is not None:
        page, after = files_after(connection, chunk_id, after)
        if page:
            _choose(connection, batch_id, page)


def choose_page(connection: Connection, batch_id: str, positions: Sequence[int]) -> None:
    """Choose among the attempts of a page of files, in a transaction of its own.

    Under the lock of the batch: no round adds attempts meanwhile, and whoever is at work on a round or on
    the results notices that something moved.
    """
    batch = batches.c.batch_id == batch_id
    connection.execute(select(batches.c.batch_id).where(batch).with_for_update(key_share=True))
    if _choose(connection, batch_id, positions):
        connection.execute(update(batches).where(batch).values(changes=batches.c.changes + 1))


def _choose(connection: Connection, batch_id: str, positions: Sequence[int]) -> bool:
    """Choose, and tell whether anything changed."""
    changed = list(_changes(attempts(connection, batch_id, positions)))
    _SUPERSEDE.execute(connection, changed, {"batch": batch_id})
    return bool(changed)


def _changes(rows: Iterable[Row[Any]]) -> Iterator[tuple[int, str, int, bool]]:
    for _, tries in groupby(rows, key=lambda row: (row.position, row.analysis_type)):
        mine = list(tries)
        chosen = _chosen(mine)
        for row in mine:
            if row.superseded is (row is chosen):
                yield row.position, row.analysis_type, row.attempt, row is not chosen


def _chosen(tries: list[Row[Any]]) -> Row[Any]:
    """Return the attempt on its way, else the last good one, else the last."""
    last = tries[-1]
    if last.outcome is None:
        return last
    return next((row for row in reversed(tries) if is_good(row)), last)


def is_good(row: Row[Any]) -> bool:
    """Tell whether a record has a result that can be used; ``row`` has outcome, repaired and reused_from."""
    repaired = row.outcome == Outcome.TRUNCATED and row.repaired
    return bool(row.reused_from or row.outcome == Outcome.SUCCEEDED or repaired)
