"""The files of a batch, streamed in plan order without a transaction held open."""

from collections.abc import Iterable, Iterator

from sqlalchemy import ColumnElement, select, true

from consumers.core.rows import NewFile
from daemon.adapters.store.database import PAGE, Database
from daemon.adapters.store.plans import new_file
from daemon.adapters.store.reuse import links
from daemon.adapters.tables import files


class Files:
    """The file rows."""

    database: Database

    def planned_files(self, batch_id: str) -> Iterator[NewFile]:
        """Stream all files of a batch, REFUSED ones too, with what is reused of them."""
        return stream_files(self.database, batch_id, true())

    def files_at(self, batch_id: str, positions: Iterable[int]) -> Iterator[NewFile]:
        """Stream the files at these places of a plan, in order."""
        wanted = sorted(positions)
        for first in range(0, len(wanted), PAGE):
            page = wanted[first : first + PAGE]
            yield from stream_files(self.database, batch_id, files.c.position.in_(page), page[0])


def stream_files(
    database: Database, batch_id: str, which: ColumnElement[bool], first: int = 0
) -> Iterator[NewFile]:
    """Stream some files of a batch in plan order, a page at a time, from a place on."""
    asked = select(files).where(files.c.batch_id == batch_id, which).order_by(files.c.position).limit(PAGE)
    while True:
        with database.read() as connection:
            page = connection.execute(asked.where(files.c.position >= first)).all()
            reused = links(connection, batch_id, page[0].position, page[-1].position) if page else {}
        yield from (new_file(row, reused.get(row.position, {})) for row in page)
        if len(page) < PAGE:
            return
        first = page[-1].position + 1
