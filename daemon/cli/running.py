"""The verbs that work: run, reconcile, migrate."""

import click

from daemon.cli.access import open_access, read_settings, shown
from daemon.cli.output import as_json, write_json

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
@as_json
def reconcile(as_json: bool) -> None:
    """Make one pass over store and Bedrock.

    Sends the messages that are missing: for jobs whose event never came, for work that nobody does.
    """
    from daemon.cli.reconciling import make_pass

    with open_access() as access:
        sent = make_pass(access)
    if as_json:
        write_json({"sent": sent})
        return
    for action, count in sent.items():
        click.echo(f"{action}: sent {count}")
    if not sent:
        click.echo("nothing was missing, nothing was sent")


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    from sqlalchemy.exc import DBAPIError

    from daemon.adapters.store import migrate as migrate_schema

    with open_access() as access:
        engine = access.open_database()
        try:
            migrate_schema(engine)
        except DBAPIError as error:
            raise click.ClickException(
                f"database {shown(engine)} could not be migrated: {error.orig}. Check NOVABATCH_DATABASE_URL."
            ) from error
    click.echo(f"{shown(engine)} has the schema of this version")
