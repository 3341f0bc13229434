"""One statement for many rows, without SQLAlchemy's work on each of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

Converts = Sequence[tuple[int, Callable[[Any], Any]]]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a driver is given: the text, what its types convert by place, and the order its text binds in.

    ``converts`` is for the values of a row, ``alike`` for those that come behind them.
    """

    text: str
    converts: Converts
    alike: Converts
    bound: Callable[[Sequence[Any]], Any]


class ForMany:
    """A statement whose rows go straight to the driver, converted as the types of its parameters say.

    ``names`` are the parameters that a row gives, in order; ``same`` those that are alike for all rows.
    """

    def __init__(self, statement: Update | Delete, names: Sequence[str], same: Sequence[str]) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._same = tuple(same)
        self._prepared: dict[str, _Prepared] = {}

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]], same: Mapping[str, Any]) -> None:
        """Run the statement once for each row; no row is none."""
        prepared = self._for(connection.dialect)
        alike = _converted([same[name] for name in self._same], prepared.alike)
        if bound := [prepared.bound(_converted([*row], prepared.converts) + alike) for row in rows]:
            connection.exec_driver_sql(prepared.text, bound)

    def _for(self, dialect: Dialect) -> _Prepared:
        if dialect.name not in self._prepared:
            self._prepared[dialect.name] = self._prepare(dialect)
        return self._prepared[dialect.name]

    def _prepare(self, dialect: Dialect) -> _Prepared:
        by_place = dialect if dialect.positional else _psycopg_by_place()
        compiled = self._statement.compile(dialect=by_place)
        processors = {name: bind.type.bind_processor(by_place) for name, bind in compiled.binds.items()}
        names = self._names + self._same
        order = [names.index(name) for name in compiled.positiontup or ()]
        converts, alike = (
            [(at, convert) for at, name in enumerate(some) if (convert := processors[name])]
            for some in (self._names, self._same)
        )
        return _Prepared(str(compiled), converts, alike, itemgetter(*order))


def _converted(values: list[Any], converts: Converts) -> list[Any]:
    """Convert in place, and return, what is not null."""
    for at, convert in converts:
        if values[at] is not None:
            values[at] = convert(values[at])
    return values


def _psycopg_by_place() -> Dialect:
    """Return the dialect that writes ``%s`` for each parameter."""
    dialect: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
    return dialect
