"""The verb that tells who did what: audit."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, cell, cents, show, size, table, write_json

SHOWN = 100
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@click.command()
@click.option("--since", type=click.DateTime(TIMES), help="Only what was done since then (UTC).")
@click.option("--batch", metavar="BATCH", help="Only what was done to this batch.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="The last so many.")
@as_json
def audit(since: datetime | None, batch: str | None, limit: int, as_json: bool) -> None:
    """Who did what: accepted, bought, stopped, deleted, forgot.

    An intent stands before what is done outside the database, its outcome after; an intent without an
    outcome was cut short.
    """
    with open_access() as access:
        moment = since.replace(tzinfo=UTC) if since else None
        document = access.views.audit(moment, _batch_id(access, batch), limit)
    if as_json:
        write_json(document)
        return
    made = table("time", "who~", "did~", "to~", "freed>", "USD>")
    for each in document["entries"]:
        made.add_row(*map(cell, _row(each)))
    show(made, otherwise="Nothing was done.")


def _batch_id(access: Access, name: str | None) -> str | None:
    """Return the id of a batch, whose rows may be gone: its name alone tells."""
    from consumers.core import layout

    if name is None or re.fullmatch("b[0-9a-f]{20}", name):
        return name
    return access.views.batch_id_of(name) or layout.batch_id(name)


def _row(each: Mapping[str, Any]) -> tuple[str | None, ...]:
    done = each["verb"] if each["phase"] == "done" else f"{each['verb']} ({each['phase']})"
    who = each["actor"] + (f" for {each['requested_by']}" if each["requested_by"] else "")
    what = each["target"] + (f": {each['detail']}" if each["detail"] else "")
    freed = None if each["bytes"] is None else size(each["bytes"])
    cost = None if each["cost_usd"] is None else cents(each["cost_usd"])
    return each["time"][:19].replace("T", " "), who, done, what, freed, cost
