"""The three ways to use a connection, and the border at which the driver's errors stop."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Table,
    TableValuedAlias,
    bindparam,
    cast,
    func,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from consumers.core.faults import PassingFault, Rejected
from daemon.adapters.columns import Json

PAGE = 500


class Database:
    """Short transactions on one engine; no connection is kept between them."""

    def __init__(self, engine: Engine) -> None:
        single: dict[str, Any] = {} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self.engine = engine
        self._write = engine.execution_options(novabatch="write")
        self._read = engine.execution_options(novabatch="read", **single)
        self._once = engine.execution_options(novabatch="once", **single)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction that writes; an exception rolls it back."""
        with border(), self._write.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run statements that only read; on SQLite they see one state of the database."""
        with border(), self._read.connect() as connection:
            yield connection

    @contextmanager
    def once(self) -> Iterator[Connection]:
        """Run single statements, each a transaction of its own: fewer round trips."""
        with border(), self._once.connect() as connection:
            yield connection


_NO_PRIVILEGE = "42501"  # PostgreSQL: Appendix A, insufficient_privilege


@contextmanager
def border() -> Iterator[None]:
    """Turn the driver's errors into faults."""
    try:
        yield
    except IntegrityError as error:
        raise Rejected(f"the database refuses it: {_words(error)}") from error
    except (OperationalError, PoolTimeout) as error:
        why = error.orig if isinstance(error, OperationalError) else error
        raise PassingFault(f"the database did not answer: {why}", "DatabaseBusy") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise PassingFault(f"the database went away: {error.orig}", "DatabaseGone") from error
        if getattr(error.orig, "sqlstate", None) == _NO_PRIVILEGE:
            denied = f"the database does not let us: {error.orig}; see deploy/postgresql/roles.sql"
            raise PassingFault(denied, "DatabaseDenied") from error
        if type(error) is DatabaseError:  # its kinds are bugs of ours, the kind itself is about the file
            raise Rejected(f"the database cannot be used: {error.orig}", "DatabaseUnusable") from error
        raise


def _words(error: IntegrityError) -> str:
    """Say which rule was broken; PostgreSQL's own text goes on with the row, and the row with an answer."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or error.orig)


@contextmanager
def unawaited(connection: Connection) -> Iterator[None]:
    """Send statements without waiting for what each of them comes to; the end of the block waits for all.

    On SQLite, which is no server, nothing changes.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    errors: Any = connection.dialect.loaded_dbapi
    try:
        with driver.pipeline():
            yield
    except errors.Error as error:
        raise DBAPIError.instance("a pipeline", None, error, errors.Error) from error


class clock(FunctionElement[float]):  # noqa: N801 - reads as a function in statements
    """The database's own clock in seconds since 1970, the same for all processes."""

    type = Double()
    inherit_cache = True


@compiles(clock, "postgresql")
def _postgres_clock(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


@compiles(clock, "sqlite")
def _sqlite_clock(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


Insert = postgresql.Insert | sqlite.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """Return an insert that knows ON CONFLICT, in the dialect at hand."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet; the same again changes nothing.

    A row that has something else in common with another one is an error.
    """
    if rows:
        new = insert(connection, table).on_conflict_do_nothing(index_elements=list(table.primary_key))
        connection.execute(new, list(rows))


_texts: BindParameter[Any] = bindparam("texts", type_=Json())
TEXTS: Mapping[str, TableValuedAlias] = {
    "sqlite": func.json_each(_texts).table_valued("value"),
    "postgresql": func.json_array_elements_text(cast(_texts, postgresql.JSON))
    .table_valued("value")
    .render_derived(),
}
"""The strings bound to ``texts`` as rows with one column, ``value``, however many: by dialect."""


def pages(values: Sequence[str], size: int = PAGE) -> Iterator[Sequence[str]]:
    """Cut a long list for IN (...)."""
    for first in range(0, len(values), size):
        yield values[first : first + size]


def live(table: Table) -> ColumnElement[bool]:
    """Return the condition that somebody holds the row's lease now."""
    return table.c.lease_until > clock()
