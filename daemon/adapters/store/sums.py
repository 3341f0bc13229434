"""What was counted and spent, summed by the database."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Label, Row, and_, bindparam, func, or_, select

from consumers.core.lifecycle import CHUNK_ENDS
from consumers.core.rows import BatchCount, Spent
from daemon.adapters.store.current import is_good
from daemon.adapters.store.database import Database
from daemon.adapters.tables import batches, chunks, files, jobs, record_unread, records, state_in
from schemas.outcomes import Outcome

_BOUGHT = (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.UNPARSABLE, Outcome.FILTERED)
_reused = records.c.reused_from.is_not(None)
# A price is missing only where something was bought: by its tokens, its outcome, or by output not read yet.
_unpriced = and_(
    records.c.cost_usd.is_(None),
    ~_reused,
    or_(
        records.c.input_tokens.is_not(None),
        records.c.output_tokens.is_not(None),
        records.c.outcome.in_([outcome.value for outcome in _BOUGHT]),
        record_unread,
    ),
)
_padding_unpriced = and_(chunks.c.padding_cost_usd.is_(None), chunks.c.padding_input_tokens.is_not(None))


class Sums:
    """What a batch came to."""

    database: Database

    def count(self, batch_id: str) -> BatchCount:
        """Count a batch: its files, its current records, what they and the superseded ones cost.

        One whose rows are removed is told by what was kept of it.
        """
        with self.database.read() as connection:
            kept = connection.execute(_summary(batch_id)).scalar_one_or_none()
            return count_rows(connection, batch_id) if kept is None else count_of(kept)


def count_rows(connection: Connection, batch_id: str) -> BatchCount:
    """Count a batch by its rows."""
    planned, refused = connection.execute(_files(batch_id)).one()
    groups = connection.execute(_groups(batch_id)).all()
    chunk_sums = connection.execute(_chunks(batch_id)).one()
    current = [row for row in groups if not row.superseded]
    bought = [row for row in current if not row.reused_from]
    outcomes = {
        outcome: count
        for outcome in Outcome
        if (count := sum(row.records for row in bought if row.outcome == outcome))
    }
    return BatchCount(
        files=planned,
        refused=refused or 0,
        records=sum(row.records for row in current),
        reused=sum(row.records for row in current if row.reused_from),
        good=sum(row.records for row in current if is_good(row)),
        outcomes=outcomes,
        spent=_added(current),
        padding=spent_of(chunk_sums),
        superseded=_added([row for row in groups if row.superseded]),
        chunks=chunk_sums.chunks,
        chunks_through=chunk_sums.through or 0,
    )


def count_of(kept: Mapping[str, Any]) -> BatchCount:
    """Read what was kept of a batch whose rows are removed."""
    plain = ("files", "refused", "records", "reused", "good", "chunks", "chunks_through")
    spent: Any = {name: _read_spent(kept[name]) for name in ("spent", "padding", "superseded")}
    outcomes = {Outcome(name): number for name, number in kept["outcomes"].items()}
    return BatchCount(**{name: kept[name] for name in plain}, outcomes=outcomes, **spent)


def _read_spent(kept: Sequence[Any]) -> Spent:
    tokens_in, tokens_out, cost = kept
    return Spent(tokens_in, tokens_out, None if cost is None else Decimal(cost))


def _summary(batch_id: str) -> Any:
    return select(batches.c.summary).where(batches.c.batch_id == batch_id)


def tokens_by_day(batch_id: str) -> Any:
    """Sum tokens by the day they were priced on: the one on which their job ended, where it has one."""
    day = func.date(func.coalesce(jobs.c.ended_at, records.c.created_at))
    tokens = (func.sum(records.c.input_tokens), func.sum(records.c.output_tokens))
    bought = records.c.input_tokens.is_not(None) & records.c.output_tokens.is_not(None)
    asked = select(day, *tokens).outerjoin(jobs, jobs.c.chunk_id == records.c.chunk_id)
    return asked.where(records.c.batch_id == batch_id, bought).group_by(day)


def spent_on(connection: Connection, chunk_id: str) -> Spent:
    """Sum what a chunk came to: its records, superseded or not, and its padding."""
    return _added([connection.execute(asked, {"id": chunk_id}).one() for asked in _SPENT_ON])


def spent_columns() -> tuple[Label[Any], ...]:
    """Return the columns that sum records; ``spent_of`` reads them."""
    return _sums(records.c.input_tokens, records.c.output_tokens, records.c.cost_usd, _unpriced)


def spent_of(row: Row[Any]) -> Spent:
    """Read a sum; one missing price makes the cost unknown."""
    cost = None if row.unpriced else (row.cost or Decimal(0))
    return Spent(int(row.tokens_in or 0), int(row.tokens_out or 0), cost)


def _sums(
    tokens_in: Any, tokens_out: Any, cost: Any, unpriced: ColumnElement[bool]
) -> tuple[Label[Any], ...]:
    return (
        func.sum(tokens_in).label("tokens_in"),
        func.sum(tokens_out).label("tokens_out"),
        func.sum(cost).label("cost"),
        func.count().filter(unpriced).label("unpriced"),
    )


def _added(rows: list[Row[Any]]) -> Spent:
    parts = [spent_of(row) for row in rows]
    costs = [part.cost_usd for part in parts]
    known = [cost for cost in costs if cost is not None]
    return Spent(
        sum(part.input_tokens for part in parts),
        sum(part.output_tokens for part in parts),
        sum(known, Decimal(0)) if len(known) == len(costs) else None,
    )


def _files(batch_id: str) -> Any:
    refused = func.count().filter(files.c.code != "")
    return select(func.count(), refused).where(files.c.batch_id == batch_id)


def _groups(batch_id: str) -> Any:
    kind = (records.c.superseded, records.c.outcome, records.c.repaired, _reused.label("reused_from"))
    asked = select(*kind, func.count().label("records"), *spent_columns())
    return asked.where(records.c.batch_id == batch_id).group_by(*kind)


def _padding_sums() -> tuple[Label[Any], ...]:
    return _sums(
        chunks.c.padding_input_tokens,
        chunks.c.padding_output_tokens,
        chunks.c.padding_cost_usd,
        _padding_unpriced,
    )


_SPENT_ON = (
    select(*spent_columns()).where(records.c.chunk_id == bindparam("id")),
    select(*_padding_sums()).where(chunks.c.chunk_id == bindparam("id")),
)


def _chunks(batch_id: str) -> Any:
    through = func.count().filter(state_in(chunks, CHUNK_ENDS))
    asked = select(func.count().label("chunks"), through.label("through"), *_padding_sums())
    return asked.where(chunks.c.batch_id == batch_id)
