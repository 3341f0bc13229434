"""Rows that go by their age: what a batch came to and cost is kept before, and told by that after."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, select, update

from consumers.core.rows import Deed, Held, Phase, Spent, Verb
from daemon.adapters.store.attempts import at
from daemon.adapters.store.auditing import add_entry
from daemon.adapters.store.database import PAGE, Database
from daemon.adapters.store.forgetting import change_request
from daemon.adapters.store.leases import guard
from daemon.adapters.store.sums import count_of, count_rows, tokens_by_day
from daemon.adapters.tables import batches, chunk_files, chunks, files, records


class Removing:
    """Taking the rows of files and records away; those of chunks, jobs and the batch stay."""

    database: Database
    actor: str

    def sum_up(self, held: Held) -> None:
        """Keep what the held batch came to, once."""
        mine = batches.c.batch_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            if connection.execute(select(batches.c.summary).where(mine)).scalar_one() is not None:
                return
            summary = _summary(connection, held.id)
            connection.execute(update(batches).where(mine).values(summary=summary))
            add_entry(connection, self.actor, Deed(Verb.REMOVE_ROWS, held.id, held.id), Phase.INTENT)

    def remove_rows(self, held: Held) -> int:
        """Delete a page of files with their records and places in chunks; returns how many files."""
        first = select(files.c.position).where(files.c.batch_id == held.id).order_by(files.c.position)
        with self.database.write() as connection:
            guard(connection, held)
            page = connection.execute(first.limit(PAGE)).scalars().all()
            if page:
                mine = select(chunks.c.chunk_id).where(chunks.c.batch_id == held.id)
                placed = chunk_files.c.position.in_(page)
                connection.execute(delete(records).where(at(held.id, page)))
                connection.execute(delete(chunk_files).where(chunk_files.c.chunk_id.in_(mine), placed))
                here = (files.c.batch_id == held.id, files.c.position.in_(page))
                connection.execute(delete(files).where(*here))
            return len(page)

    def rows_removed(self, held: Held, now: datetime) -> None:
        """Store that the rows are gone, and take the files out of the request."""
        mine = batches.c.batch_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            row = connection.execute(select(batches).where(mine)).one()
            change_request(connection, held.id, _without_files(row.request))
            connection.execute(update(batches).where(mine).values(rows_removed_at=now, wake_after=None))
            count = count_of(row.summary)
            costs = [part.cost_usd for part in (count.spent, count.padding, count.superseded)]
            known = [cost for cost in costs if cost is not None]
            total = sum(known, Decimal(0)) if len(known) == len(costs) else None
            deed = Deed(Verb.REMOVE_ROWS, held.id, held.id, objects=count.files, cost_usd=total)
            add_entry(connection, self.actor, deed, Phase.OUTCOME)


def _summary(connection: Connection, batch_id: str) -> Mapping[str, Any]:
    count = count_rows(connection, batch_id)
    plain = ("files", "refused", "records", "reused", "good", "chunks", "chunks_through")
    spent = {name: _spent(getattr(count, name)) for name in ("spent", "padding", "superseded")}
    days = connection.execute(tokens_by_day(batch_id)).all()
    return {
        **{name: getattr(count, name) for name in plain},
        "outcomes": {outcome.value: number for outcome, number in count.outcomes.items()},
        **spent,
        "days": [[str(day), int(tokens_in), int(tokens_out)] for day, tokens_in, tokens_out in days],
    }


def _spent(spent: Spent) -> list[Any]:
    return [spent.input_tokens, spent.output_tokens, None if spent.cost_usd is None else str(spent.cost_usd)]


def _without_files(request: str) -> str:
    """Leave of a request what names no file."""
    told = json.loads(request or "{}")
    if isinstance(told, dict) and told.get("files"):
        told["files"] = []
    return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
