"""The verb that tells who did what: audit."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, cents, printable, size, wrapped, write_json

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
    for each in document["entries"]:
        for line in _lines(each):
            wrapped(printable(line), indent=2)
    if not document["entries"]:
        click.echo("Nothing was done.")


def _batch_id(access: Access, name: str | None) -> str | None:
    """Return the id of a batch; one that only the audit still tells of, or tells of already, counts too."""
    from consumers.core import layout

    if name is None:
        return None
    told = name if re.fullmatch("b[0-9a-f]{20}", name) else layout.batch_id(name)
    if access.views.batch_id_of(name) is None and access.views.audit(None, told, 1)["entries"]:
        return told
    return access.batch_id_of(name)


def _lines(each: Mapping[str, Any]) -> Iterator[str]:
    """Tell an entry; what it was done to has a line of its own, to be copied whole."""
    done = each["verb"] if each["phase"] == "done" else f"{each['verb']} ({each['phase']})"
    who = each["actor"] + (f" for {each['requested_by']}" if each["requested_by"] else "")
    yield f"{each['time'][:19].replace('T', ' ')}  {done} by {who}"
    yield f"  {each['target']}"
    freed = None if each["bytes"] is None else f"{size(each['bytes'])} freed"
    cost = None if each["cost_usd"] is None else f"{cents(each['cost_usd'])} USD"
    if came := ", ".join(filter(None, (each["detail"], freed, cost))):
        yield f"  {came}"
