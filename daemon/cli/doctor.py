"""The verb that looks whether everything is in its place: doctor."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.access import Access, open_access, shown
from daemon.cli.output import as_json, cell, show, table, write_json

if TYPE_CHECKING:
    from daemon.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about a fault."""

    name: str
    ok: bool
    detail: str
    advice: str | None = None


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check that all is in place; say what to do.

    Looks at settings, credentials, queues, bucket, Bedrock, database and models.
    """
    with open_access() as access:
        checks = list(examine(access))
        settings = list(_settings(access.settings))
    ok = all(check.ok for check in checks)
    if as_json:
        write_json({"ok": ok, "checks": [asdict(check) for check in checks], "settings": settings})
    else:
        _tell(checks, settings)
    if not ok:
        raise click.exceptions.Exit(1)


def examine(access: Access) -> Iterator[Check]:
    """Look at one thing after the other; a fault of one hides none of the others."""
    from schemas.queues import Queue

    yield _look("settings", lambda: _needed(access), "Set the variables named.")
    yield _look("variables", _strange, "Correct or remove them: a misspelt setting has no effect.")
    yield _look("models", lambda: _models(access), "Correct NOVABATCH_MODELS_FILE.")
    yield _look("analyses", lambda: _analyses(access), "Correct the files of NOVABATCH_ANALYSES_DIR.")
    yield _look(
        "credentials", _credentials, "Give this process a role, or set AWS_ACCESS_KEY_ID and the like."
    )
    for queue in Queue:
        yield _look(
            f"queue {queue.value}",
            lambda queue=queue: _queue(access, queue),  # type: ignore[misc]
            f"Create it with a dead-letter queue, or name yours in NOVABATCH_{queue.name}_QUEUE; "
            "check AWS_ENDPOINT_URL and permissions.",
        )
    if access.settings.events_queue:
        yield _look("events queue", lambda: _events(access), "Create it, or correct NOVABATCH_EVENTS_QUEUE.")
    yield _look(
        "bucket",
        lambda: _bucket(access),
        "Check NOVABATCH_BUCKET and s3:ListBucket, s3:GetObject, s3:PutObject.",
    )
    yield _look(
        "cleaning",
        lambda: _versions(access),
        "Allow s3:ListBucketVersions, and s3:DeleteObject and s3:DeleteObjectVersion on the folders that "
        "are cleaned.",
    )
    yield _look("bedrock", lambda: _bedrock(access), "Allow bedrock:ListModelInvocationJobs in this Region.")
    yield _look(
        "database",
        lambda: _database(access),
        "Run `novabatch migrate`; if it cannot be reached, check NOVABATCH_DATABASE_URL.",
    )


def _look(name: str, call: Callable[[], str], advice: str) -> Check:
    from consumers.core.faults import Fault
    from daemon.settings import BadSettings
    from schemas.models import BadModelTable

    try:
        return Check(name, True, call())
    except Fault as fault:
        return Check(name, False, fault.message, advice)
    except click.ClickException as error:
        return Check(name, False, error.message, advice)
    except (BadSettings, BadModelTable) as error:
        return Check(name, False, str(error), advice)


def _needed(access: Access) -> str:
    access.settings.require(*access.settings.needed)
    return "all that are needed are set"


def _strange() -> str:
    from daemon.settings import unknown_variables

    strange = unknown_variables()
    if strange:
        raise click.ClickException("; ".join(strange))
    return "no NOVABATCH_ variable is misspelt"


def _models(access: Access) -> str:
    unpriced = [model.id for model in access.models.models if not model.prices]
    note = f"; without a price: {', '.join(unpriced)}" if unpriced else ""
    return f"{len(access.models.models)} models{note}"


def _analyses(access: Access) -> str:
    """Name the types beside the built-in ones with their versions: all processes must tell the same."""
    from schemas.analyses import REGISTRY

    own = [each for each in access.analyses if REGISTRY.find(each.name, each.kind) is None]
    told = ", ".join(f"{each.name} ({each.kind} {each.prompt_version})" for each in own)
    return f"{len(access.analyses.names)} types" + (f"; own: {told}" if own else "")


def _credentials() -> str:
    from daemon.adapters.identity import identity

    return identity()


def _queue(access: Access, queue: Any) -> str:
    mailbox = access.mailbox(queue)
    if mailbox.dead_url is None:
        raise click.ClickException(f"{mailbox.url} has no dead-letter queue: set its RedrivePolicy")
    depths = mailbox.depths()
    return f"{depths['main'].visible} waiting, {depths['dlq'].visible} dead letters"


def _events(access: Access) -> str:
    from daemon.adapters.sqs import open_outlet

    return open_outlet(access.parts.sqs_client, access.settings.events_queue).url


def _bucket(access: Access) -> str:
    first = next(iter(access.objects.list("")), None)
    return f"s3://{access.settings.bucket} can be listed" + ("" if first else "; it is empty")


def _versions(access: Access) -> str:
    """Look as far as can be looked without deleting anything."""
    from consumers.core import layout

    next(access.objects.versions(layout.INPUT_ROOT), None)
    return "old versions can be listed; whether they can be deleted shows at the first cleaning"


def _bedrock(access: Access) -> str:
    next(iter(access.parts.jobs.since(datetime.now(UTC))), None)
    return "jobs can be listed"


def _database(access: Access) -> str:
    from daemon.adapters.store import schema_is_current
    from daemon.adapters.store.database import Database

    engine = access.open_database()
    with Database(engine).read():
        pass
    if not schema_is_current(engine):
        raise click.ClickException(f"{shown(engine)} does not have the schema of this version")
    return f"{shown(engine)}, schema is current"


def _settings(settings: "Settings") -> Iterator[dict[str, Any]]:
    from daemon.settings import source_of, variable

    for name in type(settings).model_fields:
        value = _shown(settings, name)
        yield {"name": variable(name), "value": value, "source": source_of(name)}


def _shown(settings: "Settings", name: str) -> str | None:
    """Write a setting's value; the database's password stays hidden."""
    value = getattr(settings, name)
    value = None if value in ("", ()) else value
    if name == "database_url":
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            return make_url(settings.database_url).render_as_string(hide_password=True)
        except ArgumentError:
            return "(cannot be read)"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else None if value is None else str(value)


def _tell(checks: list[Check], settings: list[dict[str, Any]]) -> None:
    made = table("setting", "value~", "from")
    for each in settings:
        made.add_row(*map(cell, (each["name"].removeprefix("NOVABATCH_"), each["value"], each["source"])))
    show(made)
    for check in checks:
        click.echo(f"{'ok   ' if check.ok else 'FAULT'} {check.name}: {check.detail}")
        if check.advice:
            click.echo(f"      {check.advice}")
