"""Filling a lost store again: what result lines tell of records and files."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    and_,
    bindparam,
    case,
    exists,
    false,
    literal,
    or_,
    select,
    update,
)

from consumers.core.restored import REFUSED, UNKNOWN, KeptResult
from consumers.core.rows import Held
from daemon.adapters.columns import Words
from daemon.adapters.store.database import Database, insert
from daemon.adapters.store.leases import guard
from daemon.adapters.store.reuse import source
from daemon.adapters.tables import chunk_files, files, records

_NAMES = {"file_id", "bucket", "s3_key", "etag", "analysis_type", "attempt"}
_TOLD = [field.name for field in fields(KeptResult) if field.name not in _NAMES]
_RECORD = ("batch", "file", "type", "number")
_FILE = ("batch", "file", "s3", "why", "words")

_named = and_(files.c.batch_id == bindparam("batch"), files.c.file_id == bindparam("file"))
_position = select(files.c.position).where(_named).scalar_subquery()
_attempts = and_(
    records.c.batch_id == bindparam("batch"),
    records.c.position == _position,
    records.c.analysis_type == bindparam("type"),
)
_attempt = records.c.attempt == bindparam("number")
_given = {name: bindparam(f"new_{name}", type_=records.c[name].type) for name in _TOLD}
_TELL = update(records).where(_attempts, _attempt).values(_given)
_SUPERSEDE = update(records).where(_attempts).values(superseded=~_attempt)
_same_key = files.c.s3_key == bindparam("s3")
_place = select(files.c.position).where(_named, _same_key).scalar_subquery()
_unsaid = or_(files.c.code == "", files.c.code == UNKNOWN)
_is_sent = exists().where(records.c.batch_id == files.c.batch_id, records.c.position == files.c.position)
_REFUSE = (
    update(files)
    .where(_named, _same_key, _unsaid, ~_is_sent)
    .values(code=bindparam("why"), reason=bindparam("words"))
)
_CLEAR = update(files).where(_named, files.c.code == UNKNOWN).values(code="", reason="")
# A file that changed after one of its records was sent gives no results for reuse.
_is_resent = exists().where(
    records.c.batch_id == files.c.batch_id, records.c.position == files.c.position, records.c.attempt > 1
)
_content = case((_is_resent, None), else_=bindparam("content", type_=files.c.source.type))
_RENEW = (
    update(files)
    .where(_named, files.c.etag != bindparam("tag"))
    .values(etag=bindparam("tag"), source=_content)
)
_is_refused = exists().where(_named, _same_key, files.c.code == bindparam("why"))
_MARK = update(chunk_files).where(chunk_files.c.position == _place, _is_refused).values(refused=True)
_DROP = records.delete().where(
    records.c.batch_id == bindparam("batch"), records.c.position == _place, records.c.outcome.is_(None)
)


class RestoredResults:
    """Outcomes that come back."""

    database: Database

    def restore_part(self, held: Held, chunk_id: str, results: Sequence[KeptResult]) -> None:
        """Store what a chunk's part tells of its records, and of its files that were REFUSED.

        A file that another chunk sends is REFUSED no more.
        """
        told, refused = _apart(results)
        with self.database.write() as connection:
            guard(connection, held)
            _tell(connection, held.id, told)
            drop = _DROP.where(records.c.chunk_id == chunk_id)
            _run(connection, drop, ("batch", "file", "s3"), held.id, refused)
            _run(connection, _REFUSE, _FILE, held.id, refused)
            mark = _MARK.where(chunk_files.c.chunk_id == chunk_id)
            _run(connection, mark, ("batch", "file", "s3", "why"), held.id, refused)

    def restore_current(self, held: Held, results: Sequence[KeptResult]) -> None:
        """Store what the results of an ended batch tell: which attempt of a record counts, what it gave.

        Reused results come back with it.
        """
        told, refused = _apart(results)
        with self.database.write() as connection:
            guard(connection, held)
            _link(connection, held.id, [each for each in told if each.reused_from])
            _tell(connection, held.id, told)
            _run(connection, _SUPERSEDE, _RECORD, held.id, told)
            _run(connection, _DROP, ("batch", "file", "s3"), held.id, refused)
            _run(connection, _REFUSE, _FILE, held.id, refused)


def _apart(results: Sequence[KeptResult]) -> tuple[list[KeptResult], list[KeptResult]]:
    """Tell records from files that were REFUSED."""
    told = [each for each in results if each.analysis_type is not None]
    return told, [each for each in results if each.outcome == REFUSED]


def _tell(connection: Connection, batch_id: str, told: Sequence[KeptResult]) -> None:
    _run(connection, _TELL, (*_RECORD, *(f"new_{name}" for name in _TOLD)), batch_id, told)
    _run(connection, _CLEAR, ("batch", "file"), batch_id, told)
    _run(
        connection,
        _RENEW,
        ("batch", "file", "tag", "content"),
        batch_id,
        [each for each in told if each.etag],
    )


def _link(connection: Connection, batch_id: str, reused: Sequence[KeptResult]) -> None:
    """Add the records of reused results; they cost nothing."""
    columns: dict[str, Any] = {
        "batch_id": bindparam("batch", type_=Words()),
        "position": files.c.position,
        "analysis_type": bindparam("type", type_=Words()),
        "attempt": bindparam("number", type_=records.c.attempt.type),
        "max_tokens": literal(0),
        "superseded": false(),
        "retryable": false(),
        "repaired": false(),
        "prompt_version": literal(""),
    }
    found = select(*(column.label(name) for name, column in columns.items())).where(_named)
    new = insert(connection, records).from_select([*columns], found).on_conflict_do_nothing()
    _run(connection, new, _RECORD, batch_id, reused)


def _run(
    connection: Connection,
    statement: Executable,
    needed: Iterable[str],
    batch_id: str,
    results: Sequence[KeptResult],
) -> None:
    """Run a statement for each result, with those of its values that it needs."""
    if results:
        names = list(needed)
        rows = [_row(batch_id, each) for each in results]
        connection.execute(statement, [{name: row[name] for name in names} for row in rows])


def _row(batch_id: str, told: KeptResult) -> dict[str, Any]:
    return {
        "batch": batch_id,
        "file": told.file_id,
        "s3": told.s3_key,
        "tag": told.etag,
        "content": source(told.bucket, told.s3_key, told.etag or ""),
        "type": told.analysis_type,
        "number": told.attempt,
        "why": told.error_code or UNKNOWN,
        "words": told.error_message or "",
        **{f"new_{name}": getattr(told, name) for name in _TOLD},
    }
