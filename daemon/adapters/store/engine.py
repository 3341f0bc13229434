"""Connections to the database, set up alike in every process."""

import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from consumers.core.faults import Rejected

SQLITE_WAIT_MS = 20_000
ASK_AGAIN = (0.001, 0.006)
_POSTGRES_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
}


class UrlWithoutFile(ValueError):
    """A URL of SQLite that names no file."""


def make_engine(url: str, threads: int = 10) -> Engine:
    """Return an engine for a ``sqlite:///`` or ``postgresql://`` URL; nothing is connected yet.

    It keeps a connection for each of so many threads and makes as many more for a while: a thread that adds
    rows made of what it reads uses two at once. Raises Rejected for a URL that cannot be used.
    """
    try:
        parsed = make_url(url)
        return _MAKERS[parsed.get_backend_name()](parsed, threads)
    except (ArgumentError, KeyError, OSError, ValueError) as error:
        raise Rejected(
            f"NOVABATCH_DATABASE_URL cannot be used: {_reason(error)}. "
            "Write sqlite:////path/to/file.db or postgresql+psycopg://user:password@host/database",
            "BadDatabaseUrl",
        ) from error


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, which a connection would make; None for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _reason(error: Exception) -> str:
    """Say what is wrong with a URL without repeating it: it may hold a password."""
    match error:
        case KeyError():
            return f"{error.args[0]} is not supported"
        case OSError():
            return f"{error.filename}: {error.strerror}"
        case ArgumentError():
            return "it is no database URL"
        case UrlWithoutFile():
            return str(error)
        case _:
            return "host and port cannot be read; in a password write @ as %40, : as %3A and / as %2F"


def _postgres(url: URL, threads: int) -> Engine:
    if "@" in (url.host or ""):  # the end of a password, which a driver would name as a host not found
        raise ValueError("an @ stands in the password")
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=threads,
        max_overflow=threads,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )
    event.listen(engine, "connect", _limit)
    return engine


def _limit(connection: Any, _: object) -> None:
    """Set what holds for a whole session, in one statement.

    Not by options of the connection, which proxies and poolers refuse; and outside a transaction, whose
    rollback would take it back.
    """
    settings = ", ".join(
        f"set_config('{name}', '{value}', false)" for name, value in _POSTGRES_SETTINGS.items()
    )
    connection.autocommit = True
    connection.execute(f"SELECT {settings}").close()
    connection.autocommit = False


def _sqlite(url: URL, threads: int) -> Engine:
    if not url.database:
        raise UrlWithoutFile("SQLite needs a file, which several processes share")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=threads, max_overflow=threads, hide_parameters=True)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin does
    for pragma in (
        f"busy_timeout = {SQLITE_WAIT_MS}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Any) -> None:
    """Take the write lock at once: a read that turns into a write later would fail, not wait."""
    mode = connection.get_execution_options().get("novabatch", "write")
    if mode == "write":
        _take_write_lock(connection)
    elif mode != "once":
        connection.exec_driver_sql("BEGIN")


def _take_write_lock(connection: Any) -> None:
    """Ask for the lock at short intervals until the wait is over.

    SQLite's own waiting is unfair: who has waited for a while asks ten times a second, who comes just now
    asks at once. Of several busy writers one then waits for seconds.
    """
    driver = connection.connection.driver_connection
    deadline = time.monotonic() + SQLITE_WAIT_MS / 1000
    driver.execute("PRAGMA busy_timeout = 0").close()
    try:
        while _is_taken(driver) and time.monotonic() < deadline:
            time.sleep(random.uniform(*ASK_AGAIN))
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises what the callers know
    finally:
        driver.execute(f"PRAGMA busy_timeout = {SQLITE_WAIT_MS}").close()


def _is_taken(driver: sqlite3.Connection) -> bool:
    """Begin a transaction that writes, or tell that somebody else writes just now."""
    try:
        driver.execute("BEGIN IMMEDIATE").close()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return False


_MAKERS = {"sqlite": _sqlite, "postgresql": _postgres}
