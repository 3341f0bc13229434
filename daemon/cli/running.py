"""The verbs that work: run, reconcile, migrate."""

import click

from daemon.cli.access import open_access, read_settings, shown

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
