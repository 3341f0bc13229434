"""Storing what records came to, a page at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from operator import attrgetter

from msgspec.structs import astuple
from sqlalchemy import bindparam, case, update

from consumers.core.layout import parse_chunk_id
from consumers.core.rows import Held, JudgedRecord
from consumers.core.store import SavePage
from daemon.adapters.columns import Time, Words
from daemon.adapters.store.attempts import KEY, by_key
from daemon.adapters.store.beside import Beside
from daemon.adapters.store.database import Database, unawaited
from daemon.adapters.store.leases import guard
from daemon.adapters.store.many import ForMany
from daemon.adapters.tables import records

_JUDGED = JudgedRecord.__struct_fields__
_TOLD = [name for name in _JUDGED if name not in KEY]
_place = attrgetter("position", "analysis_type")
_now = bindparam("now", type_=Time())
_same = records.c.outcome == bindparam("outcome", type_=Words())
_SAVE = ForMany(
    update(records)
    .where(*by_key, records.c.chunk_id == bindparam("chunk"))
    .values(
        {name: bindparam(name) for name in _TOLD}
        | {"created_at": case((_same, records.c.created_at), else_=_now)}
    ),
    _JUDGED,
    ("batch", "chunk", "now"),
)


class Outcomes:
    """What records came to."""

    database: Database

    def save(self, held: Held, records: Sequence[JudgedRecord], now: datetime) -> None:
        """Store outcomes of a chunk's records; a record keeps the time of its first such outcome."""
        commit = self._write(held, records, now)
        commit()

    @contextmanager
    def saving(self, held: Held, now: datetime) -> Iterator[SavePage]:
        """Store pages one after another while the caller goes on with the next.

        What a page waits for is beside what comes next: the server that still works at it, and the disk.
        """
        with Beside() as beside:

            def save(records: Sequence[JudgedRecord]) -> None:
                beside.wait()
                beside.do(self._write(held, records, now))

            yield save

    def _write(self, held: Held, records: Sequence[JudgedRecord], now: datetime) -> Callable[[], None]:
        """Write outcomes, and return what waits for them and commits."""
        with ExitStack() as stack:
            connection = stack.enter_context(self.database.write())
            guard(connection, held)
            same = {"batch": parse_chunk_id(held.id).batch_id, "chunk": held.id, "now": now}
            stack.enter_context(unawaited(connection))
            _SAVE.execute(connection, map(astuple, sorted(records, key=_place)), same)
            return stack.pop_all().close
