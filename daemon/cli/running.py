"""The verbs that work: run, reconcile, migrate."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from daemon.cli.access import open_access, read_settings, shown
from daemon.cli.output import as_json, printable, write_json
from daemon.person import person

if TYPE_CHECKING:
    from daemon.cli.reconciling import Pass

ROLES = ("submit", "job_state", "cleanup")


@click.command()
@click.argument("role", type=click.Choice([*ROLES, "all"]))
def run(role: str) -> None:
    """Run a consumer until told to stop.

    `all` runs the three in one process.
    """
    from daemon.run import run as run_roles
    from daemon.settings import Role

    roles = [Role(each) for each in ROLES] if role == "all" else [Role(role)]
    raise click.exceptions.Exit(run_roles(roles, read_settings()))


@click.command()
@click.option("--rebuild", is_flag=True, help="First fill a lost database again; nothing is bought.")
@as_json
def reconcile(*, rebuild: bool, as_json: bool) -> None:
    """Make one pass over store and Bedrock.

    Sends the messages that are missing: for jobs whose event never came, for work that nobody does.

    With --rebuild batches, results and jobs come back first, from S3 and Bedrock's own list.
    """
    from consumers.core.rows import Deed, Verb
    from daemon.cli.rebuilding import document_of, rebuild_store, tell
    from daemon.cli.reconciling import make_pass

    with open_access() as access:
        with access.diary.noted(*([Deed(Verb.REBUILD, "the store")] if rebuild else [])):
            rebuilt = rebuild_store(access) if rebuild else None
        made = make_pass(access)
    document = {} if rebuilt is None else document_of(rebuilt)
    if as_json:
        write_json({**document, "sent": made.sent, "findings": list(map(asdict, made.findings))})
    else:
        if rebuilt is not None:
            tell(rebuilt)
        _tell(made)
    if made.not_listed is not None:
        raise click.ClickException(
            f"{made.not_listed}\nWhat depends on Bedrock's list waits for another pass; `novabatch doctor` "
            "looks at everything and says what to do."
        )
    if document.get("problems"):
        raise click.exceptions.Exit(1)


def _tell(made: "Pass") -> None:
    for action, count in made.sent.items():
        click.echo(f"{action}: sent {count}")
    for found in made.findings:
        click.echo(f"finding {found.kind}: {printable(found.subject)}: {printable(found.detail)}")
    if not made.sent:
        click.echo("nothing was missing, nothing was sent")


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    from sqlalchemy.exc import DBAPIError

    from daemon.adapters.store import migrate as migrate_schema

    with open_access() as access:
        engine = access.open_database()
        try:
            migrate_schema(engine, person())
        except DBAPIError as error:
            raise click.ClickException(
                f"database {shown(engine)} could not be migrated: {error.orig}. Check NOVABATCH_DATABASE_URL."
            ) from error
    click.echo(f"{shown(engine)} has the schema of this version")
