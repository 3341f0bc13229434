"""Bringing a database to the schema this version needs."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from consumers.core.rows import Verb
from daemon.adapters.store.auditing import note
from daemon.adapters.store.database import Database, border

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent.parent / "migrations"
_LOCK = 0x6E6F7661  # any number that is ours: "nova"


def migrate(engine: Engine, actor: str = "unknown") -> None:
    """Apply the migrations that are missing, all in one transaction; others wait for its end.

    The audit tells who did so, if there were any.
    """
    from alembic import command

    with border(), engine.begin() as connection:
        _lock(connection)
        before = _revisions(connection)
        if _serve(before):
            return
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        detail = f"from {', '.join(before) or 'none'}"
        note(connection, actor, Verb.MIGRATE, newest_revision(), detail=detail)


def schema_serves(engine: Engine) -> bool:
    """Tell whether the database has the schema this version needs, or a later one; loads no Alembic.

    Migrations only add, so consumers of the version before work on, and may start anew, beside this one's.
    """
    with Database(engine).read() as connection:
        return _serve(_revisions(connection))


def _serve(revisions: list[str]) -> bool:
    return any(each.isdecimal() and each >= newest_revision() for each in revisions)


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())


def newest_revision() -> str:
    """Return the number of the last migration, by which its file's name begins."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _lock(connection: Connection) -> None:
    """Let one process migrate at a time; on SQLite the write transaction itself is the lock."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
