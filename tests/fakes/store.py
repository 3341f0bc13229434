"""A real store whose calls are heard like those of the other fakes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Connection

from consumers.core.rows import Held
from consumers.core.store import SavePage
from daemon.adapters.store import SqlStore
from daemon.adapters.store.database import Database
from tests.fakes.calls import Calls, OnCall


def heard(store: SqlStore, on_call: OnCall) -> SqlStore:
    """Return the store with every call heard as ``store.<method> <id>``.

    Each transaction that may have written something is heard once it stands, with `` done`` behind the same.
    """
    return cast(SqlStore, _Heard(store, on_call))


class _Heard:
    """Stands before a store of its own on the same database."""

    def __init__(self, store: SqlStore, on_call: OnCall) -> None:
        self._behind = store
        self._calls = Calls("store", on_call)
        self._in_hand: list[tuple[str, str]] = []

    @cached_property
    def _store(self) -> SqlStore:
        store = SqlStore(self._behind.engine)
        store.database = _Telling(self._behind.engine, self._written)
        return store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: Any, **more: Any) -> Any:
            self._in_hand.append((name, _subject(args)))
            try:
                self._calls.begin(*self._in_hand[-1])
                return method(*args, **more)
            finally:
                self._in_hand.pop()

        return call

    @contextmanager
    def saving(self, held: Held, now: datetime) -> Iterator[SavePage]:
        """Store each page at once, so that the calls of two runs come in the same order."""
        yield lambda records: self.save(held, records, now)

    def _written(self) -> None:
        self._calls.end(*self._in_hand[-1])


class _Telling(Database):
    """Tells of each transaction that may have written something, once it stands."""

    def __init__(self, engine: Any, written: Callable[[], None]) -> None:
        super().__init__(engine)
        self._written = written

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
        self._written()

    @contextmanager
    def once(self) -> Iterator[Connection]:
        with super().once() as connection:
            yield connection
        self._written()


def _subject(args: tuple[Any, ...]) -> str:
    """Return what a call is about: the first id among its arguments."""
    ids = (each.id if isinstance(each, Held) else each for each in args)
    return next((each for each in ids if type(each) is str), "")
