"""Connections to the database, set up alike in every process."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url

SQLITE_WAIT_MS = 20_000
_POSTGRES_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=60000 -c lock_timeout=20000 "
    "-c idle_in_transaction_session_timeout=60000"
)


def make_engine(url: str) -> Engine:
    """Return an engine for a ``sqlite:///`` or ``postgresql://`` URL; nothing is connected yet."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend not in _MAKERS:
        raise ValueError(
            f"{backend} is not supported. Write sqlite:////path/to/file.db or postgresql+psycopg://…"
        )
    return _MAKERS[backend](parsed)


def _postgres(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=10,
        pool_recycle=1800,
        connect_args={"options": _POSTGRES_OPTIONS, "connect_timeout": 10},
    )


def _sqlite(url: URL) -> Engine:
    if not url.database:
        raise ValueError("SQLite needs a file: several processes share it. Write sqlite:////path/to/file.db")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_size=10, max_overflow=20)
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
    if mode != "once":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")


_MAKERS = {"sqlite": _sqlite, "postgresql": _postgres}
