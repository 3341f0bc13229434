"""Results made anew from raw lines: what they came to, what changed by it, how far the work is."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from consumers.core.layout import RecordName, parse_chunk_id
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Deed, Held, JudgedRecord, Link, Phase, Reparse, SentAs, Verb
from daemon.adapters.columns import Words
from daemon.adapters.store.attempts import at
from daemon.adapters.store.auditing import add_entry
from daemon.adapters.store.current import choose_current
from daemon.adapters.store.database import Database
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import revise_batch
from daemon.adapters.store.reuse import Ref, ref_of
from daemon.adapters.tables import batches, chunks, files, records, state_in

LINKS_AT_ONCE = 250
MOST_LEFT = 20
_KEY = ("position", "analysis_type", "attempt")
_ANEW = (
    "outcome",
    "error_code",
    "retryable",
    "repaired",
    "stop_reason",
    "error_message",
    "result",
    "raw_text",
)
_key = attrgetter(*_KEY)
_anew = attrgetter(*_ANEW)
_REJUDGE = (
    update(records)
    .where(
        records.c.batch_id == bindparam("batch"),
        records.c.position == bindparam("at"),
        records.c.analysis_type == bindparam("type"),
        records.c.attempt == bindparam("try"),
    )
    .values({name: bindparam(name) for name in (*_ANEW, "missing")})
)
_stored_text = Words().process_bind_param
_FORGOTTEN = {"part_lines": None, "part_bytes": None, "part_sha256": None}


class Reparsing:
    """What a reparse writes, all of it under the lease of the batch."""

    database: Database
    actor: str

    def begin_reparse(self, held: Held) -> None:
        """Begin a reparse, unless one is under way."""
        row = update(batches).where(batches.c.batch_id == held.id, batches.c.reparse_next.is_(None))
        with self.database.write() as connection:
            guard(connection, held)
            if connection.execute(row.values(reparse_next=0, reparse=_note(Reparse()))).rowcount:
                add_entry(connection, self.actor, Deed(Verb.REPARSE, held.id, held.id), Phase.INTENT)

    def rejudge(self, held: Held, records: Sequence[JudgedRecord], chunk_id: str | None = None) -> int:
        """Store what records came to when they were judged again, at no cost; returns how many changed."""
        with self.database.write() as connection:
            guard(connection, held)
            changed = _changed(connection, held.id, records)
            if changed:
                connection.execute(_REJUDGE, [_row(held.id, record) for record in changed])
                if chunk_id is not None:
                    choose_current(connection, chunk_id)
                    part = update(chunks).where(chunks.c.chunk_id == chunk_id)
                    connection.execute(part.values(_FORGOTTEN))
                _go_on(connection, held.id, changed=len(changed))
            return len(changed)

    def pass_chunk(self, held: Held, chunk_id: str, records: int, left: Sequence[str]) -> None:
        """Note that a chunk is through."""
        number = parse_chunk_id(chunk_id).number
        with self.database.write() as connection:
            guard(connection, held)
            _go_on(connection, held.id, records=records, left=left, reparse_next=number + 1)

    def links(self, batch_id: str, after: int) -> Sequence[Link]:
        """Return a page of the records of a batch whose results are another's, in plan order."""
        with self.database.read() as connection:
            rows = connection.execute(_linked(batch_id, after)).all()
            if len(rows) == LINKS_AT_ONCE and rows[0].position < rows[-1].position:
                rows = [row for row in rows if row.position < rows[-1].position]
            sources = _sources(connection, [ref_of(row.reused_from) for row in rows])
        return [_link(row, sources.get(ref_of(row.reused_from))) for row in rows]

    def end_reparse(
        self, held: Held, changes: int, state: BatchState, reason: str, done: Reparse, now: datetime
    ) -> bool:
        """End a reparse; what it changed makes a new revision, unless the batch moved since ``changes``."""
        mine = batches.c.batch_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            failures = dict(connection.execute(select(batches.c.failures).where(mine)).scalar_one())
            failures.pop("reparse", None)
            ended = {"reparse_next": None, "reparse": _note(done), "wake_after": None, "failures": failures}
            which = mine & (batches.c.changes == changes)
            if done.changed:
                moved = revise_batch(connection, which, state, reason=reason, finished_at=now, **ended)
            else:
                same = update(batches).where(which, state_in(batches, BATCH_ENDS)).values(ended)
                moved = connection.execute(same).rowcount
            if moved:
                came = Deed(
                    Verb.REPARSE, held.id, held.id, f"{done.changed} of {done.records} records changed"
                )
                add_entry(connection, self.actor, came, Phase.OUTCOME)
            return bool(moved)


def read_reparse(row: Row[Any]) -> Reparse | None:
    """Read what the row of a batch tells of its last reparse."""
    if row.reparse is None:
        return None
    told = row.reparse
    ended_at = told["ended_at"] and datetime.fromisoformat(told["ended_at"])
    return Reparse(
        row.reparse_next, told["records"], told["changed"], told["left"], tuple(told["why_left"]), ended_at
    )


def _note(reparse: Reparse) -> dict[str, Any]:
    return {
        "records": reparse.records,
        "changed": reparse.changed,
        "left": reparse.left,
        "why_left": list(reparse.why_left[:MOST_LEFT]),
        "ended_at": reparse.ended_at and reparse.ended_at.isoformat(),
    }


def _go_on(
    connection: Connection,
    batch_id: str,
    *,
    records: int = 0,
    changed: int = 0,
    left: Sequence[str] = (),
    **also: Any,
) -> None:
    """Add to what a reparse has come to; its batch is locked."""
    mine = batches.c.batch_id == batch_id
    told = connection.execute(select(batches.c.reparse).where(mine)).scalar_one()
    added = {
        **told,
        "records": told["records"] + records,
        "changed": told["changed"] + changed,
        "left": told["left"] + len(left),
        "why_left": [*told["why_left"], *left][:MOST_LEFT],
    }
    connection.execute(update(batches).where(mine).values(reparse=added, **also))


def _row(batch_id: str, record: JudgedRecord) -> dict[str, Any]:
    key = {"batch": batch_id, "at": record.position, "type": record.analysis_type, "try": record.attempt}
    return {**key, "missing": record.missing, **dict(zip(_ANEW, _anew(record), strict=True))}


def _changed(connection: Connection, batch_id: str, judged: Sequence[JudgedRecord]) -> Sequence[JudgedRecord]:
    """Return those that came to something else than what is stored, in the order of their keys."""
    positions = sorted({record.position for record in judged})
    asked = select(*(records.c[name] for name in (*_KEY, "missing", *_ANEW))).where(at(batch_id, positions))
    stored = {tuple(row[:3]): row for row in connection.execute(asked)}
    return sorted((each for each in judged if _differs(each, stored.get(_key(each)))), key=_key)


def _differs(record: JudgedRecord, stored: Row[Any] | None) -> bool:
    """Compare with what is stored; how much an answer lacks was not counted in earlier versions."""
    if stored is None:
        return False
    anew = tuple(
        _stored_text(value, None) if isinstance(value, str) else value  # type: ignore[arg-type]
        for value in _anew(record)
    )
    counted = stored.missing is not None and stored.missing != record.missing
    return counted or anew != tuple(stored[len(_KEY) + 1 :])


def _linked(batch_id: str, after: int) -> Any:
    same = (files.c.batch_id == records.c.batch_id) & (files.c.position == records.c.position)
    asked = select(*(records.c[name] for name in (*_KEY, "reused_from")), files.c.s3_key)
    which = (
        records.c.batch_id == batch_id,
        records.c.position > after,
        records.c.reused_from.is_not(None),
        ~files.c.forgotten,
    )
    in_order = asked.join(files, same).where(*which).order_by(records.c.position, records.c.analysis_type)
    return in_order.limit(LINKS_AT_ONCE)


def _sources(connection: Connection, refs: Iterable[Ref]) -> Mapping[Ref, tuple[str, str]]:
    """Return file id and chunk of the records that were bought, as far as they are still there."""
    by_batch: dict[str, list[Ref]] = {}
    for ref in refs:
        by_batch.setdefault(ref.batch_id, []).append(ref)
    found: dict[Ref, tuple[str, str]] = {}
    for batch_id, mine in by_batch.items():
        same = (files.c.batch_id == records.c.batch_id) & (files.c.position == records.c.position)
        positions = sorted({ref.position for ref in mine})
        asked = select(*(records.c[name] for name in ("batch_id", *_KEY, "chunk_id")), files.c.file_id)
        for row in connection.execute(asked.join(files, same).where(at(batch_id, positions))):
            if row.chunk_id is not None:
                found[Ref(*row[:4])] = (row.file_id, row.chunk_id)
    return found


def _link(row: Row[Any], source: tuple[str, str] | None) -> Link:
    record = SentAs(row.position, row.s3_key, row.analysis_type, row.attempt)
    file_id, chunk_id = source or ("", None)
    return Link(record, RecordName(file_id, row.analysis_type), row.reused_from, chunk_id)
