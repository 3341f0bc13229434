"""Records: the outcomes of what was sent, and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from consumers.core.rows import Held, JudgedRecord, Refusal, Spent
from daemon.adapters.columns import Time, Words
from daemon.adapters.store.database import Database, pages
from daemon.adapters.store.leases import guard
from daemon.adapters.store.sums import spent_on
from daemon.adapters.tables import chunk_files, chunks, files, record_unread, records
from schemas.outcomes import Outcome

_JUDGED = [field.name for field in fields(JudgedRecord) if field.name not in {"file_id", "analysis_type"}]
_same = records.c.outcome == bindparam("outcome", type_=Words())
_SAVE = (
    update(records)
    .where(
        records.c.batch_id == bindparam("batch"),
        records.c.position == bindparam("at"),
        records.c.analysis_type == bindparam("type"),
        records.c.attempt == bindparam("number"),
    )
    .values(
        {name: bindparam(name) for name in _JUDGED}
        | {"created_at": case((_same, records.c.created_at), else_=bindparam("now", type_=Time()))}
    )
)

_here = and_(chunk_files.c.chunk_id == bindparam("chunk"), chunk_files.c.position == bindparam("at"))
_mine = and_(
    records.c.batch_id == bindparam("batch"),
    records.c.position == bindparam("at"),
    records.c.chunk_id == bindparam("chunk"),
)
_planned = and_(files.c.batch_id == bindparam("batch"), files.c.position == bindparam("at"))
_MARK = update(chunk_files).where(_here).values(refused=True)
_DROP = records.delete().where(_mine)
_REFUSE = update(files).where(_planned).values(code=bindparam("why"), reason=bindparam("words"))
_CLOSE = (
    update(records)
    .where(_mine)
    .values(
        outcome=Outcome.MISSING,
        error_code="CHUNK_NOT_PREPARED",
        error_message=bindparam("words"),
        created_at=select(chunks.c.preparing_at)
        .where(chunks.c.chunk_id == bindparam("chunk"))
        .scalar_subquery(),
    )
)


class Records:
    """The record rows."""

    database: Database

    def save(self, held: Held, records: Sequence[JudgedRecord], now: datetime) -> None:
        """Store outcomes of a chunk's records; a record keeps the time of its first such outcome."""
        with self.database.write() as connection:
            guard(connection, held)
            batch = batch_of(connection, held.id)
            keys = _keys(connection, batch, held.id, [record.file_id for record in records])
            same = {"batch": batch, "now": now}
            rows = [
                {**same, **key, **_values(record)}
                for record in records
                if (key := keys.get((record.file_id, record.analysis_type))) is not None
            ]
            if rows:
                connection.execute(_SAVE, rows)

    def close_records(self, held: Held, outcome: str, code: str, message: str, now: datetime) -> int:
        """Give this outcome to every record of the chunk that has none, or one that only waits to be read."""
        open_ = or_(records.c.outcome.is_(None), record_unread)
        close = update(records).where(records.c.chunk_id == held.id, open_)
        values = {"error_code": code, "error_message": message, "retryable": False, "created_at": now}
        with self.database.write() as connection:
            guard(connection, held)
            return connection.execute(close.values(outcome=outcome, **values)).rowcount

    def save_padding(self, held: Held, spent: Spent) -> None:
        """Store what the chunk's padding cost."""
        values = {
            "padding_input_tokens": spent.input_tokens,
            "padding_output_tokens": spent.output_tokens,
            "padding_cost_usd": spent.cost_usd,
        }
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(update(chunks).where(chunks.c.chunk_id == held.id).values(values))

    def refuse_files(self, held: Held, refusals: Sequence[Refusal]) -> None:
        """Mark files of the chunk REFUSED and drop their records from it.

        A file that was sent before has outcomes already and is not REFUSED: its new records end as MISSING.
        """
        with self.database.write() as connection:
            guard(connection, held)
            batch = batch_of(connection, held.id)
            sent = _sent_before(connection, batch, held.id)
            rows = [
                {
                    "batch": batch,
                    "chunk": held.id,
                    "at": each.position,
                    "why": each.code,
                    "words": each.reason,
                }
                for each in refusals
            ]
            again = [{**row, "words": f"{row['why']}: {row['words']}"} for row in rows if row["at"] in sent]
            never = [row for row in rows if row["at"] not in sent]
            for statement, some in ((_MARK, rows), (_CLOSE, again), (_DROP, never), (_REFUSE, never)):
                if some:
                    connection.execute(statement, some)
            count_again(connection, held.id)

    def outcomes(self, chunk_id: str) -> Mapping[tuple[str, str], int]:
        """Count a chunk's records by (analysis_type, outcome)."""
        kind = (records.c.analysis_type, records.c.outcome)
        asked = select(*kind, func.count()).where(
            records.c.chunk_id == chunk_id, records.c.outcome.is_not(None)
        )
        with self.database.read() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(asked.group_by(*kind))}

    def spent(self, chunk_id: str) -> Spent:
        """Sum what a chunk came to: its records and its padding."""
        with self.database.read() as connection:
            return spent_on(connection, chunk_id)


def batch_of(connection: Connection, chunk_id: str) -> str:
    """Return the batch of a chunk that exists."""
    return str(
        connection.execute(select(chunks.c.batch_id).where(chunks.c.chunk_id == chunk_id)).scalar_one()
    )


def _values(record: JudgedRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _JUDGED}


def _keys(
    connection: Connection, batch: str, chunk_id: str, file_ids: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the keys of a chunk's records by file id and type: whole keys find each row by itself.

    Which records are the chunk's is told here: asked by chunk, the database would walk through all of them.
    """
    keys: dict[tuple[str, str], dict[str, Any]] = {}
    for page in pages(sorted(set(file_ids))):
        named = select(files.c.position, files.c.file_id)
        named = named.where(files.c.batch_id == batch, files.c.file_id.in_(page))
        names = {row.position: row.file_id for row in connection.execute(named)}
        kind = (records.c.position, records.c.analysis_type, records.c.attempt, records.c.chunk_id)
        sent = select(*kind).where(records.c.batch_id == batch, records.c.position.in_(sorted(names)))
        for row in connection.execute(sent):
            if row.chunk_id == chunk_id:
                key = {"at": row.position, "type": row.analysis_type, "number": row.attempt}
                keys[names[row.position], row.analysis_type] = key
    return keys


def _sent_before(connection: Connection, batch: str, chunk_id: str) -> set[int]:
    """Return the files of a chunk that have records elsewhere: sent in another, or reused."""
    others = or_(records.c.chunk_id != chunk_id, records.c.chunk_id.is_(None))
    asked = select(records.c.position).join(chunk_files, chunk_files.c.position == records.c.position)
    asked = asked.where(chunk_files.c.chunk_id == chunk_id, records.c.batch_id == batch, others)
    return set(connection.execute(asked).scalars())


def count_again(connection: Connection, chunk_id: str) -> None:
    """Count the files and records a chunk still has."""
    kept = select(func.count()).where(chunk_files.c.chunk_id == chunk_id, ~chunk_files.c.refused)
    sent = select(func.count()).where(records.c.chunk_id == chunk_id)
    row = update(chunks).where(chunks.c.chunk_id == chunk_id)
    connection.execute(row.values(files=kept.scalar_subquery(), records=sent.scalar_subquery()))
