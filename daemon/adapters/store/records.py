"""Records: the outcomes of what was sent, and what they cost."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from consumers.core.layout import RecordName, parse_chunk_id
from consumers.core.rows import Answered, Held, Refusal, SentAs, Spent
from daemon.adapters.store.attempts import KEY, attempts, by_key, file_pages
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.many import ForMany
from daemon.adapters.store.sent import SENT
from daemon.adapters.store.sums import spent_columns, spent_of, spent_on
from daemon.adapters.tables import chunk_files, chunks, files, record_unread, records
from schemas.outcomes import Outcome

_CLOSED = ("outcome", "error_code", "error_message", "retryable", "created_at")
_CLOSE = ForMany(
    update(records).where(*by_key).values({name: bindparam(name) for name in _CLOSED}),
    KEY,
    ("batch", *_CLOSED),
)


_ANSWERS = (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.UNPARSABLE, Outcome.FILTERED)
_unanswered = or_(records.c.outcome.is_(None), record_unread)
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
_UNPREPARED = (
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

    def sent_as(self, chunk_id: str, names: Sequence[RecordName]) -> Mapping[RecordName, SentAs]:
        """Look up a page of records by their names; those that the chunk did not send are left out."""
        asked = {"batch": parse_chunk_id(chunk_id).batch_id, "texts": [*{name.file_id for name in names}]}
        with self.database.read() as connection:
            found = connection.execute(SENT[connection.dialect.name], asked).all()
        return {
            RecordName(file_id, analysis_type): SentAs(position, s3_key, analysis_type, attempt, kind)
            for file_id, position, s3_key, kind, analysis_type, attempt, sent_in in found
            if sent_in == chunk_id
        }

    def close_records(self, held: Held, outcome: str, code: str, message: str, now: datetime) -> int:
        """Give this outcome to every record of the chunk that has none, or one that only waits to be read."""
        batch_id = parse_chunk_id(held.id).batch_id
        told = zip(_CLOSED, (outcome, code, message, False, now), strict=True)
        same, closed = {"batch": batch_id, **dict(told)}, 0
        for page in file_pages(self.database, held.id):
            with self.database.read() as connection:
                open_ = _open(connection, batch_id, held.id, page)
            if open_:
                with self.database.write() as connection:
                    guard(connection, held)
                    _CLOSE.execute(connection, open_, same)
            closed += len(open_)
        return closed

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
            for statement, some in ((_MARK, rows), (_UNPREPARED, again), (_DROP, never), (_REFUSE, never)):
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

    def answered(self, chunk_id: str) -> Answered:
        """Count a chunk's records by whether the output has a line for them."""
        kept_back = func.count().filter(records.c.error_code == "CHUNK_NOT_PREPARED")
        answers = func.count().filter(records.c.outcome.in_(_ANSWERS))
        errors = func.count().filter(records.c.outcome == Outcome.MODEL_ERROR)
        asked = select(func.count() - kept_back, answers, errors).where(records.c.chunk_id == chunk_id)
        with self.database.read() as connection:
            return Answered(*connection.execute(asked).one())

    def spent(self, chunk_id: str) -> Spent:
        """Sum what a chunk came to: its records and its padding."""
        with self.database.read() as connection:
            return spent_on(connection, chunk_id)

    def bought(self, chunk_id: str) -> Spent:
        """Sum what a chunk's records came to, without its padding."""
        asked = select(*spent_columns()).where(records.c.chunk_id == chunk_id)
        with self.database.read() as connection:
            return spent_of(connection.execute(asked).one())


def batch_of(connection: Connection, chunk_id: str) -> str:
    """Return the batch of a chunk that exists."""
    return str(
        connection.execute(select(chunks.c.batch_id).where(chunks.c.chunk_id == chunk_id)).scalar_one()
    )


def _open(
    connection: Connection, batch_id: str, chunk_id: str, positions: Sequence[int]
) -> list[tuple[int, str, int]]:
    """Return the keys of the chunk's records that have no outcome, or one that only waits to be read."""
    return [
        (row.position, row.analysis_type, row.attempt)
        for row in attempts(connection, batch_id, positions, _unanswered)
        if row.chunk_id == chunk_id
    ]


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
