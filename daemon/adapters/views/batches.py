"""What `status` tells of batches and their chunks."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from consumers.core import layout
from consumers.core.cost import money, on_demand_cost
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import BatchCount
from daemon.adapters.store.database import Database
from daemon.adapters.store.sums import Sums, tokens_by_day
from daemon.adapters.tables import batches, chunks, jobs
from daemon.adapters.views.values import add, instant, words
from schemas.models import ModelTable
from schemas.outcomes import Outcome

ERRORS = 10
_BATCH: list[Any] = [
    batches.c.batch_id,
    batches.c.request_id,
    batches.c.state,
    batches.c.reason,
    batches.c.revision,
    batches.c.model,
    batches.c.created_at,
    batches.c.finished_at,
    batches.c.budget_usd,
    batches.c.committed_usd,
    batches.c.stopped,
    batches.c.canary,
]
_JOB = (jobs.c.arn, jobs.c.name, jobs.c.submitted_at, jobs.c.ended_at)


class BatchViews:
    """Batches as an operator looks at them."""

    database: Database
    sums: Sums
    models: ModelTable

    def batch_id_of(self, name: str) -> str | None:
        """Find a batch by its batch_id or its request_id."""
        asked = select(batches.c.batch_id).where(
            or_(batches.c.batch_id == name, batches.c.batch_id == layout.batch_id(name))
        )
        with self.database.read() as connection:
            found = connection.execute(asked).scalars().all()
        return name if name in found else next(iter(found), None)

    def names_like(self, beginning: str, limit: int) -> list[tuple[str, str]]:
        """Return names of batches that begin so, with their states, the newest first."""
        columns = (batches.c.request_id, batches.c.batch_id, batches.c.state)
        like = or_(
            *(batches.c[name].startswith(beginning, autoescape=True) for name in ("request_id", "batch_id"))
        )
        newest = select(*columns).where(like).order_by(batches.c.created_at.desc()).limit(limit)
        with self.database.read() as connection:
            rows = connection.execute(newest).all()
        return [
            (row.request_id if row.request_id.startswith(beginning) else row.batch_id, row.state)
            for row in rows
        ]

    def state_of(self, batch_id: str) -> str | None:
        """Return where a batch stands, or None if there is none."""
        with self.database.read() as connection:
            return connection.execute(
                select(batches.c.state).where(batches.c.batch_id == batch_id)
            ).scalar_one_or_none()

    def status(self, batch_id: str) -> dict[str, Any] | None:
        """Describe one batch with its chunks."""
        with self.database.read() as connection:
            row = connection.execute(select(*_BATCH).where(batches.c.batch_id == batch_id)).first()
            if row is None:
                return None
            found = connection.execute(_chunks().where(chunks.c.batch_id == batch_id)).all()
        return self._describe(row, [describe_chunk(each) for each in found])

    def overview(self, limit: int | None = None) -> dict[str, Any]:
        """Describe the newest batches, and the last errors of all."""
        newest = select(*_BATCH).order_by(batches.c.created_at.desc(), batches.c.batch_id).limit(limit)
        with self.database.read() as connection:
            rows = connection.execute(newest).all()
            errors = _last_errors(connection)
        return {"batches": [self._describe(row) for row in rows], "last_errors": errors}

    def _describe(self, row: Row[Any], found: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        count = self.sums.count(row.batch_id)
        total = add(count.spent, count.padding, count.superseded)
        on_demand = None if total.cost_usd is None else self._on_demand(row)
        return {
            "batch_id": row.batch_id,
            "request_id": row.request_id,
            "state": row.state,
            "reason": words(row.reason),
            "revision": row.revision,
            "model": row.model,
            "files": {"total": count.files, "refused": count.refused},
            "records": _records(count),
            **({} if found is None else {"chunks": found}),
            "tokens": {"input": total.input_tokens, "output": total.output_tokens},
            "cost_usd": money(total.cost_usd),
            "cost_padding_usd": money(count.padding.cost_usd),
            "cost_superseded_usd": money(count.superseded.cost_usd),
            "cost_on_demand_usd": money(on_demand),
            "created_at": instant(row.created_at),
            "finished_at": instant(row.finished_at),
            "budget_usd": money(row.budget_usd),
            "committed_usd": money(row.committed_usd),
            "estimate_usd": money(None if row.state == BatchState.PLANNING else self._estimate(row.batch_id)),
            "stopped": words(row.stopped),
            "canary": row.canary,
        }

    def _estimate(self, batch_id: str) -> Decimal | None:
        """Sum the most that the chunks bought or to be bought may cost; None where a price is unknown."""
        unpriced = func.count().filter(chunks.c.estimate_usd.is_(None))
        asked = select(func.sum(chunks.c.estimate_usd), unpriced).where(
            chunks.c.batch_id == batch_id, chunks.c.state != ChunkState.CANCELLED
        )
        with self.database.read() as connection:
            amount, unknown = connection.execute(asked).one()
        return None if unknown else amount or Decimal(0)

    def _on_demand(self, row: Row[Any]) -> Decimal | None:
        """Price the batch's records on demand, where nobody would need padding."""
        model = self.models.find(row.model)
        if model is None:
            return None
        with self.database.read() as connection:
            kept = connection.execute(
                select(batches.c.summary).where(batches.c.batch_id == row.batch_id)
            ).scalar_one_or_none()
            tokens = kept["days"] if kept else connection.execute(tokens_by_day(row.batch_id)).all()
        costs = [on_demand_cost(model, int(day[1]), int(day[2]), _day(day[0])) for day in tokens]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None


def describe_chunk(row: Row[Any]) -> dict[str, Any]:
    """Describe one row of ``chunk_rows``."""
    fetched = row.results_fetched_at is not None
    return {
        "chunk_id": row.chunk_id,
        "index": row.number,
        "state": row.state,
        "attempt": row.round + 1,
        "job_arn": row.arn,
        "job_name": row.name,
        "folder": row.folder,
        "files": row.files,
        "bytes": row.bytes,
        "records": row.records,
        "padding": row.padding,
        "submitted_at": instant(row.submitted_at),
        "last_checked_at": instant(row.last_checked_at),
        "ended_at": instant(row.ended_at),
        "results_fetched_at": instant(row.results_fetched_at),
        "fetch_attempts": int(row.failures.get("fetch", 0)) + fetched,
        "cleaned_at": instant(row.cleaned_at),
        "last_error": words(row.last_error),
    }


def _chunks() -> Any:
    joined = select(chunks, *_JOB).outerjoin(jobs, jobs.c.chunk_id == chunks.c.chunk_id)
    return joined.order_by(chunks.c.number)


def chunk_row(connection: Connection, chunk_id: str) -> Row[Any] | None:
    """Read one chunk with its job, as ``describe_chunk`` wants it."""
    found: Row[Any] | None = connection.execute(_chunks().where(chunks.c.chunk_id == chunk_id)).first()
    return found


def _records(count: BatchCount) -> dict[str, int]:
    """Count records by outcome; those without one are still on their way."""
    outcomes: Mapping[Outcome, int] = count.outcomes
    known = {outcome.value: outcomes.get(outcome, 0) for outcome in Outcome}
    return {"total": count.records, "reused": count.reused, **known}


def _last_errors(connection: Connection) -> list[dict[str, Any]]:
    asked = (
        select(chunks.c.last_error_at, chunks.c.chunk_id, chunks.c.last_error)
        .where(chunks.c.last_error_at.is_not(None))
        .order_by(chunks.c.last_error_at.desc(), chunks.c.chunk_id)
        .limit(ERRORS)
    )
    return [
        {"time": instant(row.last_error_at), "chunk_id": row.chunk_id, "message": row.last_error}
        for row in connection.execute(asked)
    ]


def _day(value: object) -> date:
    """Read a date; SQLite gives text."""
    return value if isinstance(value, date) else date.fromisoformat(str(value))
