"""Files that are forgotten: their rows keep place, outcomes and money, and nothing that tells of them."""

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, delete, func, or_, select, update

from consumers.core import layout
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Deed, Held, Leaving, Phase, Verb
from daemon.adapters.store.auditing import add_entry
from daemon.adapters.store.database import Database, insert_new, pages
from daemon.adapters.store.leases import guard
from daemon.adapters.store.moves import revise_batch
from daemon.adapters.store.plans import echo_of
from daemon.adapters.tables import batches, chunk_files, chunks, files, findings, forgettings, records

FORGET = "forget"
FORGOTTEN = "it told of a file that was forgotten since"
_BLANK_FILE = {
    "id_is_integer": False,
    "bucket": "",
    "s3_key": "",
    "size_bytes": 0,
    "etag": "",
    "local_path": None,
    "context": {},
    "reason": "",
    "source": None,
    "forgotten": True,
}
_BLANK_RECORD = {"error_message": None, "result": None, "raw_text": None}
_UNWRITTEN = {"part_lines": None, "part_bytes": None, "part_sha256": None}


class Forgetting:
    """Files that leave an ended batch, under its lease."""

    database: Database
    actor: str

    def chunks_holding(self, batch_id: str, position: int) -> Sequence[str]:
        """Return the chunks of a batch that a file was put into."""
        here = and_(chunks.c.chunk_id == chunk_files.c.chunk_id, chunks.c.batch_id == batch_id)
        asked = select(chunks.c.chunk_id).join(chunk_files, here).where(chunk_files.c.position == position)
        with self.database.read() as connection:
            return connection.execute(asked.order_by(chunks.c.number)).scalars().all()

    def begin_forgetting(self, held: Held, position: int | None, now: datetime) -> Sequence[Leaving]:
        """Blank the rows of an object in a batch; return who is leaving, those of earlier runs too."""
        with self.database.write() as connection:
            guard(connection, held)
            new = () if position is None else _same_object(connection, held.id, position)
            for row in new:
                leaving = _leaving(connection, row)
                insert_new(connection, forgettings, [_kept(held.id, leaving, now)])
                _blank(connection, held.id, leaving)
                deed = Deed(Verb.FORGET, f"file {row.position} of the plan", held.id)
                add_entry(connection, self.actor, deed, Phase.INTENT)
            found = select(forgettings).where(forgettings.c.batch_id == held.id)
            rows = connection.execute(found.order_by(forgettings.c.position)).all()
        return [_read(row) for row in rows]

    def holders_of(self, file_id: str, bucket: str, s3_key: str) -> Sequence[tuple[str, Leaving]]:
        """Return where a file is still known, by batch, also where it is leaving; an object by its key."""
        with self.database.read() as connection:
            found = [
                (row.batch_id, _leaving(connection, row))
                for row in _known(connection, file_id, bucket, s3_key)
            ]
            asked = select(forgettings).where(_is(forgettings, file_id, bucket, s3_key))
            found += [(row.batch_id, _read(row)) for row in connection.execute(asked)]
        return sorted(found, key=lambda each: (each[0], each[1].position))

    def objects_named(self, file_id: str) -> Sequence[tuple[str, str]]:
        """Return bucket and key of each object that a batch knows under a file id.

        It is looked for batch by batch, as the index has it: there may be millions of files.
        """
        found = set()
        with self.database.read() as connection:
            ids = connection.execute(select(batches.c.batch_id)).scalars().all()
            for page in pages(ids):
                for table in (files, forgettings):
                    named = connection.execute(objects_in(table, page, file_id))
                    found |= {(row.bucket, row.s3_key) for row in named}
        return sorted(found)

    def end_forgetting(self, held: Held, changes: int) -> bool:
        """Forget the names, and begin the batch's next revision, unless it moved since ``changes``."""
        mine = batches.c.batch_id == held.id
        with self.database.write() as connection:
            guard(connection, held)
            row = connection.execute(select(batches).where(mine)).one()
            failures = {kind: count for kind, count in row.failures.items() if kind != FORGET}
            which, end = and_(mine, batches.c.changes == changes), BatchState(row.state)
            values = {"finished_at": row.finished_at, "failures": failures, "wake_after": None}
            if end not in BATCH_ENDS or not revise_batch(connection, which, end, **values):
                return False
            gone = delete(forgettings).where(forgettings.c.batch_id == held.id).returning(forgettings)
            for each in connection.execute(gone).all():
                # What failed since was told with its name, too.
                _blank_words(connection, held.id, _read(each))
                what = f"file {each.position} of the plan"
                deed = Deed(Verb.FORGET, what, held.id, "nothing of it is left")
                add_entry(connection, self.actor, deed, Phase.OUTCOME)
        return True

    def said_before(self, batch_id: str, request: str) -> bool:
        """Tell whether a batch was accepted with this very request, whatever is left of it."""
        asked = select(batches.c.request, batches.c.request_sha256).where(batches.c.batch_id == batch_id)
        with self.database.read() as connection:
            row = connection.execute(asked).first()
        return row is not None and (row.request == request or row.request_sha256 == digest(request))


def digest(request: str) -> str:
    """Return what a request is known by once it is not whole any more."""
    return sha256(request.encode(errors="replace")).hexdigest()


def change_request(connection: Connection, batch_id: str, request: str) -> None:
    """Store what is left of a request; what it was whole is still known by its digest."""
    mine = batches.c.batch_id == batch_id
    before = connection.execute(select(batches.c.request).where(mine)).scalar_one()
    whole = func.coalesce(batches.c.request_sha256, digest(before))
    connection.execute(update(batches).where(mine).values(request=request, request_sha256=whole))


def objects_in(table: Table, batch_ids: Sequence[str], file_id: str) -> Select[Any]:
    """Select the objects that some batches know under a file id."""
    here = and_(table.c.batch_id.in_(batch_ids), table.c.file_id == file_id)
    return select(table.c.bucket, table.c.s3_key).where(here).distinct()


def _known(connection: Connection, file_id: str, bucket: str, s3_key: str) -> Sequence[Row[Any]]:
    return connection.execute(known_as(file_id, bucket, s3_key)).all()


def known_as(file_id: str, bucket: str, s3_key: str) -> Select[Any]:
    """Select the files that are an object, in all batches."""
    return select(files).where(~files.c.forgotten, _is(files, file_id, bucket, s3_key))


def _is(table: Table, file_id: str, bucket: str, s3_key: str) -> ColumnElement[bool]:
    """Return the condition that a row is about an object; without a key the file id tells."""
    here = and_(table.c.bucket == bucket, table.c.s3_key == s3_key)
    return here if s3_key else and_(here, table.c.file_id == file_id)


def _same_object(connection: Connection, batch_id: str, position: int) -> Sequence[Row[Any]]:
    """Lock and return the files of a batch that are one object with this one; none that is forgotten."""
    mine = and_(files.c.batch_id == batch_id, ~files.c.forgotten)
    one = connection.execute(select(files).where(mine, files.c.position == position)).first()
    if one is None:
        return ()
    same = and_(files.c.bucket == one.bucket, files.c.s3_key == one.s3_key, files.c.s3_key != "")
    asked = select(files).where(mine, or_(files.c.position == position, same))
    return connection.execute(asked.order_by(files.c.position)).all()


def _leaving(connection: Connection, row: Row[Any]) -> Leaving:
    here = and_(chunks.c.chunk_id == chunk_files.c.chunk_id, chunks.c.batch_id == row.batch_id)
    asked = select(chunk_files.c.chunk_id, chunk_files.c.safe_name).join(chunks, here)
    placed = connection.execute(asked.where(chunk_files.c.position == row.position)).all()
    names = tuple(sorted({each.safe_name for each in placed}))
    ids = tuple(sorted(each.chunk_id for each in placed))
    return Leaving(row.position, row.file_id, json.dumps(echo_of(row)), row.bucket, row.s3_key, names, ids)


def _kept(batch_id: str, leaving: Leaving, now: datetime) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "position": leaving.position,
        "file_id": leaving.file_id,
        "echo": leaving.echo,
        "bucket": leaving.bucket,
        "s3_key": leaving.s3_key,
        "safe_names": list(leaving.safe_names),
        "chunk_ids": list(leaving.chunk_ids),
        "begun_at": now,
    }


def _read(row: Row[Any]) -> Leaving:
    return Leaving(
        row.position,
        row.file_id,
        row.echo,
        row.bucket,
        row.s3_key,
        tuple(row.safe_names),
        tuple(row.chunk_ids),
    )


def _blank(connection: Connection, batch_id: str, leaving: Leaving) -> None:
    name, ids = layout.forgotten_name(batch_id, leaving.position), leaving.chunk_ids
    file = and_(files.c.batch_id == batch_id, files.c.position == leaving.position)
    connection.execute(update(files).where(file).values(file_id=name, **_BLANK_FILE))
    sent = and_(records.c.batch_id == batch_id, records.c.position == leaving.position)
    connection.execute(update(records).where(sent).values(_BLANK_RECORD))
    placed = and_(chunk_files.c.chunk_id.in_(ids), chunk_files.c.position == leaving.position)
    connection.execute(update(chunk_files).where(placed).values(safe_name=name))
    connection.execute(update(chunks).where(chunks.c.chunk_id.in_(ids)).values(_UNWRITTEN))
    _blank_request(connection, batch_id, leaving, name)
    _blank_words(connection, batch_id, leaving)


def _blank_request(connection: Connection, batch_id: str, leaving: Leaving, name: str) -> None:
    """Take the file out of a request that names it itself."""
    asked = select(batches.c.request).where(batches.c.batch_id == batch_id)
    request = json.loads(connection.execute(asked).scalar_one() or "{}")
    listed = request.get("files") if isinstance(request, dict) else None
    if listed:
        request["files"] = [blanked(each, leaving.echo, name) for each in listed]
        text = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        change_request(connection, batch_id, text)


def blanked(file: dict[str, Any], echo: str, name: str) -> dict[str, Any]:
    """Return a file as a request names it, or one that tells nothing in the place of this one."""
    return {"file_id": name, "s3_key": name} if json.dumps(file.get("file_id")) == echo else file


def _blank_words(connection: Connection, batch_id: str, leaving: Leaving) -> None:
    """Forget troubles that were told with the file's name."""
    names = [name for name in (leaving.s3_key, *leaving.safe_names) if name]
    for table, column in ((batches, "last_error"), (chunks, "last_error"), (chunks, "reason")):
        told = or_(*(table.c[column].contains(name, autoescape=True) for name in names))
        if names:
            connection.execute(update(table).where(table.c.batch_id == batch_id, told).values({column: ""}))
    _blank_findings(connection, batch_id, leaving, names)
    _blank_cursor(connection, batch_id, names)


def _blank_cursor(connection: Connection, batch_id: str, names: Sequence[str]) -> None:
    """Forget where a plan stood that was never finished, if that names the file."""
    mine = batches.c.batch_id == batch_id
    cursor = connection.execute(select(batches.c.cursor).where(mine)).scalar_one()
    left = {key: value for key, value in cursor.items() if not any(name in str(value) for name in names)}
    if left != cursor:
        connection.execute(update(batches).where(mine).values(cursor=left))


def _blank_findings(connection: Connection, batch_id: str, leaving: Leaving, names: Sequence[str]) -> None:
    """Take the words from the batch's findings that name the file; the finding stays. One about it goes."""
    ours = findings.c.subject.in_([batch_id, *leaving.chunk_ids])
    for name in names:
        told = findings.c.detail.contains(name, autoescape=True)
        connection.execute(update(findings).where(ours, told).values(detail=FORGOTTEN))
    connection.execute(delete(findings).where(findings.c.subject == leaving.s3_key, findings.c.subject != ""))
