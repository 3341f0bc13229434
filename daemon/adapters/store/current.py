"""Which attempt of a record counts: a worse outcome never takes the place of a better one."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select, update

from daemon.adapters.tables import records
from schemas.outcomes import Outcome

_all = records.alias("every")


def choose_current(connection: Connection, chunk_id: str) -> None:
    """Choose again among all attempts of a chunk's records, now that their outcomes are known."""
    rows = connection.execute(_attempts(chunk_id)).all()
    changed = list(_changes(rows))
    if changed:
        which = and_(
            records.c.batch_id == bindparam("batch"),
            records.c.position == bindparam("at"),
            records.c.analysis_type == bindparam("type"),
            records.c.attempt == bindparam("try"),
        )
        connection.execute(update(records).where(which).values(superseded=bindparam("old")), changed)


def _attempts(chunk_id: str) -> Any:
    """Read every attempt, in this chunk and in others, of the records of a chunk."""
    key = ("batch_id", "position", "analysis_type")
    same = and_(*(_all.c[name] == records.c[name] for name in key))
    asked = select(_all).join(records, same).where(records.c.chunk_id == chunk_id)
    return asked.order_by(_all.c.position, _all.c.analysis_type, _all.c.attempt)


def _changes(rows: Iterable[Row[Any]]) -> Iterator[dict[str, Any]]:
    for _, attempts in groupby(rows, key=lambda row: (row.position, row.analysis_type)):
        mine = list(attempts)
        chosen = _chosen(mine)
        for row in mine:
            if row.superseded is (row is chosen):
                key = {"batch": row.batch_id, "at": row.position, "type": row.analysis_type}
                yield {**key, "try": row.attempt, "old": row is not chosen}


def _chosen(attempts: list[Row[Any]]) -> Row[Any]:
    """Return the attempt on its way, else the last good one, else the last."""
    last = attempts[-1]
    if last.outcome is None:
        return last
    return next((row for row in reversed(attempts) if is_good(row)), last)


def is_good(row: Row[Any]) -> bool:
    """Tell whether a record has a result that can be used; ``row`` has outcome, repaired and reused_from."""
    repaired = row.outcome == Outcome.TRUNCATED and row.repaired
    return bool(row.reused_from or row.outcome == Outcome.SUCCEEDED or repaired)
