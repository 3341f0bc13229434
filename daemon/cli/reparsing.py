"""The verb that has results made anew: reparse."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access

LOOK_EVERY = 1.0
PATIENCE = 60.0
Document = Mapping[str, Any]


@click.command()
@click.argument("batch", shell_complete=completion.batches)
@click.option("--wait", is_flag=True, help="Wait until it is done, showing progress.")
def reparse(batch: str, wait: bool) -> None:
    """Make results anew from the raw lines that were kept.

    For a batch that has ended, after a result model changed. It buys nothing.
    """
    from consumers.core.lifecycle import BATCH_ENDS
    from schemas.messages import ReparseBatch

    with open_access() as access:
        batch_id = access.batch_id_of(batch)
        state = access.views.state_of(batch_id)
        if state not in BATCH_ENDS:
            raise click.ClickException(
                f"batch {batch_id} is {state}: reparse it when it has ended, or cancel it first."
            )
        before = access.views.reparse_of(batch_id)
        access.send(ReparseBatch(batch_id=batch_id))
        click.echo(f"sent reparse_batch for {batch_id}: see `novabatch show {batch_id}`")
        if wait:
            for line in _waiting(batch_id, before, access):
                click.echo(line)


def reparse_lines(document: Document) -> Iterator[str]:
    """Say how far a reparse is, or what it came to."""
    records, changed, revision = (document[name] for name in ("records", "changed", "revision"))
    if document["ended_at"] is None:
        yield f"reparsed  {document['through']} of {document['chunks']} chunks so far"
        if document["last_error"]:
            yield f"          failed {document['failures']} times, the last time: {document['last_error']}"
    elif changed:
        yield f"reparsed  {changed} of {records} records came to something else: revision {revision}"
    else:
        yield f"reparsed  nothing changed in {records} records: revision {revision} stays"
    for why in document["why_left"]:
        yield f"          left as it is: {why}"
    if document["left"] > len(document["why_left"]):
        yield f"          and {document['left'] - len(document['why_left'])} more"


def _waiting(batch_id: str, before: Document | None, access: Access) -> Iterator[str]:
    """Yield what there is to say each time it changes, until the reparse has ended."""
    from consumers.attempts import TRIES

    pause, told, doubtful = threading.Event(), before, time.monotonic() + PATIENCE
    failed = before["failures"] if before else 0
    while True:
        now = access.views.reparse_of(batch_id)
        if now is not None and now != told:
            told, doubtful = now, float("inf")
            yield from reparse_lines(now)
            if now["ended_at"] is not None:
                return
            if now["failures"] >= max(TRIES, failed + 1):
                raise click.ClickException("it keeps failing; it is tried again within the hour.")
        if time.monotonic() > doubtful:
            doubtful = float("inf")
            click.echo(
                "not begun yet: does `novabatch run job_state` run? Or see `novabatch dlq list`.", err=True
            )
        pause.wait(LOOK_EVERY)
