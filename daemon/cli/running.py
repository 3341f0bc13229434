"""The verbs that work: run, reconcile, migrate."""

from collections.abc import Mapping

import click

from daemon.cli.access import open_access, read_settings, shown
from daemon.cli.output import as_json, write_json
from daemon.person import person

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
        sent = make_pass(access)
    document = {} if rebuilt is None else document_of(rebuilt)
    if as_json:
        write_json({**document, "sent": sent})
    else:
        if rebuilt is not None:
            tell(rebuilt)
        _tell(sent)
    if document.get("problems"):
        raise click.exceptions.Exit(1)


def _tell(sent: Mapping[str, int]) -> None:
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
            migrate_schema(engine, person())
        except DBAPIError as error:
            raise click.ClickException(
                f"database {shown(engine)} could not be migrated: {error.orig}. Check NOVABATCH_DATABASE_URL."
            ) from error
    click.echo(f"{shown(engine)} has the schema of this version")
