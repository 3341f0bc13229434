"""The database: whether it answers, and in which schema."""

from collections.abc import Iterator

import click

from daemon.cli.access import Access, shown
from daemon.cli.examination.check import Check, look

ADVICE = "Run `novabatch migrate`; if it cannot be reached, check NOVABATCH_DATABASE_URL."


def examine(access: Access) -> Iterator[Check]:
    """Look at the schema."""
    yield look("database", lambda: _database(access), ADVICE)


def _database(access: Access) -> str:
    from daemon.adapters.store import schema_serves
    from daemon.adapters.store.database import Database

    engine = access.open_database()
    with Database(engine).read():
        pass
    if not schema_serves(engine):
        raise click.ClickException(f"{shown(engine)} does not have the schema of this version")
    return f"{shown(engine)}, schema is current"
