"""The verb that has results made anew: reparse."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access
from daemon.cli.progress import bar, on_terminal
from daemon.cli.stopping import Stopped, until_stopped

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
            _show_waiting(batch_id, before, access)


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


def _show_waiting(batch_id: str, before: Document | None, access: Access) -> None:
    """Show how far it is, with a bar on a terminal; then what it came to."""
    told: list[str] = []
    with until_stopped() as stopped, bar("waiting for the job_state consumer") as shown:
        for now in _changes(batch_id, before, access, stopped):
            if now["ended_at"] is not None:
                told = list(reparse_lines(now))
            elif on_terminal():
                shown.set(now["through"], now["chunks"], "reparsed chunks")
            else:
                click.echo("\n".join(reparse_lines(now)))
    if not told:
        raise Stopped(f"the reparse of batch {batch_id} goes on: see `novabatch show {batch_id}`.")
    for line in told:
        click.echo(line)


def _changes(
    batch_id: str, before: Document | None, access: Access, stopped: threading.Event
) -> Iterator[Document]:
    """Yield what there is to say each time it changes, until the reparse has ended or nobody waits."""
    from consumers.attempts import TRIES

    told, doubtful = before, time.monotonic() + PATIENCE
    failed = before["failures"] if before else 0
    while not stopped.is_set():
        now = access.views.reparse_of(batch_id)
        if now is not None and now != told:
            told, doubtful = now, float("inf")
            yield now
            if now["ended_at"] is not None:
                return
            if now["failures"] >= max(TRIES, failed + 1):
                why = f"batch {batch_id} keeps failing: {now['last_error']}"
                raise click.ClickException(f"{why}\nMend that; it is tried again within the hour.")
        if time.monotonic() > doubtful:
            doubtful = float("inf")
            click.echo(
                "not begun yet: does `novabatch run job_state` run? Or see `novabatch dlq list`.", err=True
            )
        stopped.wait(LOOK_EVERY)
