"""One statement for many rows, without SQLAlchemy's work on each of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a driver is given: the text, what its types convert by place, and the order its text binds in."""

    text: str
    converts: Sequence[tuple[int, Callable[[Any], Any]]]
    bound: Callable[[Sequence[Any]], Any]


class ForMany:
    """A statement whose rows go straight to the driver, converted as the types of its parameters say.

    ``names`` are the parameters that a row gives, in order; ``same`` those that are alike for all rows.
    """

    def __init__(self, statement: Update | Delete, names: Sequence[str], same: Sequence[str]) -> None:
        self._statement = statement
        self._names = (*names, *same)
        self._same = same
        self._prepared: dict[str, _Prepared] = {}

    def execute(self, connection: Connection, rows: Iterable[Sequence[Any]], same: Mapping[str, Any]) -> None:
        """Run the statement once for each row; no row is none."""
        prepared = self._for(connection.dialect)
        alike = [same[name] for name in self._same]
        if bound := [_converted([*row, *alike], prepared) for row in rows]:
            connection.exec_driver_sql(prepared.text, bound)

    def _for(self, dialect: Dialect) -> _Prepared:
        if dialect.name not in self._prepared:
            self._prepared[dialect.name] = self._prepare(dialect)
        return self._prepared[dialect.name]

    def _prepare(self, dialect: Dialect) -> _Prepared:
        by_place = dialect if dialect.positional else _psycopg_by_place()
        compiled = self._statement.compile(dialect=by_place)
        processors = {name: bind.type.bind_processor(by_place) for name, bind in compiled.binds.items()}
        converts = [(at, convert) for at, name in enumerate(self._names) if (convert := processors[name])]
        order = [self._names.index(name) for name in compiled.positiontup or ()]
        return _Prepared(str(compiled), converts, itemgetter(*order))


def _converted(row: list[Any], prepared: _Prepared) -> Any:
    for at, convert in prepared.converts:
        if row[at] is not None:
            row[at] = convert(row[at])
    return prepared.bound(row)


def _psycopg_by_place() -> Dialect:
    """Return the dialect that writes ``%s`` for each parameter."""
    dialect: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
    return dialect
