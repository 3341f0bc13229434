"""REFUSED files: looked at again, and taken into a later round."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, update

from consumers.core.rows import RECHECKED, Held, NewFile
from daemon.adapters.store.database import Database
from daemon.adapters.store.file_rows import stream_files
from daemon.adapters.store.leases import guard
from daemon.adapters.store.plans import file_row
from daemon.adapters.store.reuse import add_links
from daemon.adapters.tables import files

_MEASURED = ("size_bytes", "etag", "source", "kind", "analysis_types", "tokens", "code", "reason")

_fine = and_(files.c.code == RECHECKED, ~files.c.forgotten)


class Refused:
    """The files of a batch that never reached a manifest."""

    database: Database

    def refused_files(self, batch_id: str) -> Iterator[NewFile]:
        """Stream the REFUSED files of a batch that were not found fine since, in plan order."""
        which = and_(files.c.code != "", files.c.code != RECHECKED, ~files.c.forgotten)
        return stream_files(self.database, batch_id, which)

    def rechecked_files(self, batch_id: str) -> Iterator[NewFile]:
        """Stream the REFUSED files that were found fine when looked at again, with what is reused of them."""
        return stream_files(self.database, batch_id, _fine)

    def recheck(self, held: Held, judged: Sequence[NewFile]) -> None:
        """Store what REFUSED files came to when they were looked at again."""
        again = update(files).where(
            files.c.batch_id == held.id, files.c.position == bindparam("at"), files.c.code != ""
        )
        values = {name: bindparam(f"new_{name}", type_=files.c[name].type) for name in _MEASURED}
        rows = [_values(held.id, file) for file in judged]
        with self.database.write() as connection:
            guard(connection, held)
            connection.execute(again.values(values), rows)
            add_links(connection, held.id, [file for file in judged if file.code == RECHECKED])


def take_in(connection: Connection, batch_id: str) -> None:
    """Let files that were found fine be REFUSED no more: the round that opens holds what they need."""
    fine = update(files).where(files.c.batch_id == batch_id, _fine)
    connection.execute(fine.values(code="", reason=""))


def _values(batch_id: str, file: NewFile) -> dict[str, Any]:
    row = file_row(batch_id, file)
    return {"at": file.position, **{f"new_{name}": row[name] for name in _MEASURED}}
