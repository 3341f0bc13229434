"""The verb that looks whether everything is in its place: doctor."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.examination import Check, Level, examine
from daemon.cli.output import as_json, cell, show, table, wrapped, write_json

if TYPE_CHECKING:
    from daemon.settings import Settings

MODEL = "nova-2-lite"
UNREADABLE = "(cannot be read)"
MARKS = {Level.OK: "ok   ", Level.WARN: "WARN ", Level.FAULT: "FAULT"}


@click.command()
@click.option("--live", is_flag=True, help="Then send five generated files all the way; asks first.")
@click.option("--model", default=MODEL, show_default=True, help="The model that --live buys from.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--patience", type=click.FloatRange(min=1), default=60, show_default=True,
              help="Seconds for each step of --live that is not Bedrock's.")  # fmt: skip
@as_json
def doctor(live: bool, model: str, yes: bool, patience: float, as_json: bool) -> None:
    """Check that all is in place; say what to do.

    Looks at settings, credentials, clock, role, queues, bucket, Bedrock, database and models, and changes
    nothing. A warning is no fault; a fault ends with exit code 1. With --live, once there is none, a job for
    less than 0.10 USD shows that every step works; the consumers must run.
    """
    if live and as_json and not yes:
        raise click.UsageError("--live asks before it buys: give --yes with --json.")
    with open_access(in_part=True) as access:
        checks = list(examine(access))
        settings = list(_settings(access))
        if not as_json:
            _tell(checks, settings)
        if live and _all_well(checks):
            for check in _live(access, model, yes, patience):
                checks.append(check)
                if not as_json:
                    _tell_one(check)
    ok = all(check.ok for check in checks)
    if as_json:
        write_json({"ok": ok, "checks": list(map(_described, checks)), "settings": settings})
    if not ok:
        raise click.exceptions.Exit(1)


def _all_well(checks: Sequence[Check]) -> bool:
    """Tell whether no fault is known; where one is, say that nothing is bought before it is mended."""
    faults = ", ".join(check.name for check in checks if not check.ok)
    if faults:
        click.echo(f"Mend what is at fault first ({faults}): nothing was put or bought.", err=True)
    return not faults


def _live(access: Access, model: str, yes: bool, patience: float) -> Iterator[Check]:
    """Ask, then rehearse."""
    from daemon.cli.live import prepare, rehearse

    rehearsal = prepare(access, model)
    if not yes and not click.confirm(rehearsal.question):
        raise click.ClickException("nothing was put or bought.")
    yield from rehearse(access, rehearsal, patience)


def _described(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "ok": check.ok,
        "level": check.level.value,
        "detail": check.detail,
        "advice": check.advice,
    }


def _settings(access: Access) -> Iterator[dict[str, Any]]:
    from daemon.settings import source_of, variable

    for name in type(access.settings).model_fields:
        value = UNREADABLE if name in access.bad else _shown(access.settings, name)
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
            return UNREADABLE
    return ", ".join(map(str, value)) if isinstance(value, tuple) else None if value is None else str(value)


def _tell(checks: Sequence[Check], settings: Sequence[dict[str, Any]]) -> None:
    made = table("setting", "value~", "from")
    for each in settings:
        made.add_row(*map(cell, (each["name"].removeprefix("NOVABATCH_"), each["value"], each["source"])))
    show(made)
    for check in checks:
        _tell_one(check)
    count = {level: sum(check.level is level for check in checks) for level in Level}
    click.echo(f"{count[Level.FAULT]} faults, {count[Level.WARN]} warnings, {count[Level.OK]} in order")


def _tell_one(check: Check) -> None:
    wrapped(f"{MARKS[check.level]} {check.name}: {check.detail}", indent=6)
    if check.advice:
        wrapped(f"      → {check.advice}", indent=8)
