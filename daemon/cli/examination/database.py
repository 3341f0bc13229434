"""The database: whether it answers, and in which schema."""

from collections.abc import Iterator

import click

from daemon.cli.access import Access, shown
from daemon.cli.examination.check import Check, Doubt, look
from daemon.cli.output import printable

SHOWN = 5
ADVICE = "Run `novabatch migrate`; if it cannot be reached, check NOVABATCH_DATABASE_URL."


def examine(access: Access) -> Iterator[Check]:
    """Look at the schema, and at what the consumers found that a person should look at."""
    if "database_url" in access.bad:
        return  # the default is another database
    schema = look("database", lambda: _database(access), ADVICE)
    yield schema
    if schema.ok:
        yield look("findings", lambda: _findings(access), ADVICE)


def _database(access: Access) -> str:
    from daemon.adapters.store import schema_serves
    from daemon.adapters.store.database import Database

    engine = access.open_database()
    with Database(engine).read():
        pass
    if not schema_serves(engine):
        raise click.ClickException(f"{shown(engine)} does not have the schema of this version")
    return f"{shown(engine)}, schema is current"


def _findings(access: Access) -> str:
    """Tell what stands in the store for a person to look at, the first of it in words."""
    found = access.views.open_findings()
    if not found:
        return "none"
    told = "; ".join(f"{kind} {subject}: {printable(detail)}" for kind, subject, detail in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise Doubt(
        f"{told}{more}", "`novabatch show` tells of a batch or a chunk, docs/runbook.md of each kind."
    )
