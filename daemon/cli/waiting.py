"""Waiting for a batch's end, with a bar on a terminal and plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from consumers.core import layout
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from daemon.cli.access import Access
from daemon.cli.progress import bar, on_terminal
from daemon.cli.stopping import Stopped, until_stopped

if TYPE_CHECKING:
    from daemon.adapters.views.standing import Progress

LOOK_EVERY = 1.0
PATIENCE = 60.0
GOOD = frozenset({BatchState.COMPLETED, BatchState.COMPLETED_WITH_ERRORS})


def wait_for_end(request_id: str, access: Access) -> None:
    """Wait until a batch has ended; FAILED and CANCELLED end with exit code 1, Ctrl-C with 130."""
    batch_id = layout.batch_id(request_id)
    with until_stopped() as stopped:
        last = _watched(_changes(batch_id, access, stopped))
    if last is None or last.state not in BATCH_ENDS:
        look = f"see `novabatch status {batch_id}`, or `novabatch cancel {batch_id}`."
        raise Stopped(f"batch {batch_id} goes on: {look}")
    if last.state not in GOOD:
        reason = f": {last.reason}" if last.reason else ""
        raise click.ClickException(
            f"batch {batch_id} ended as {last.state}{reason}.\n`novabatch show {batch_id}` tells of chunks "
            f"and refused files, `novabatch retry {batch_id}` sends again what has no result."
        )


def _watched(seen: Iterator["Progress"]) -> "Progress | None":
    """Show each change, with a bar on a terminal, on a line elsewhere; returns the last."""
    now = None
    with bar("waiting for the submit consumer") as shown:
        for now in seen:
            if on_terminal():
                shown.set(now.records_through, now.records, _chunks(now))
            else:
                click.echo(line(now))
    return now


def _changes(batch_id: str, access: Access, stopped: threading.Event) -> Iterator["Progress"]:
    """Yield a batch's progress each time it has changed, until its end or until a person stops waiting."""
    before = None
    doubtful = time.monotonic() + PATIENCE
    while not stopped.is_set():
        now = access.views.progress(batch_id)
        if now is not None and now != before:
            before = now
            yield now
            if now.state in BATCH_ENDS:
                return
        if now is None and time.monotonic() > doubtful:
            doubtful = float("inf")
            click.echo(
                "not accepted yet: does `novabatch run submit` run? Or see `novabatch dlq list`.", err=True
            )
        stopped.wait(LOOK_EVERY)


def line(now: "Progress") -> str:
    """Say in one line how far a batch is."""
    return f"{_chunks(now)}  records {now.records_through}/{now.records}"


def _chunks(now: "Progress") -> str:
    return f"{now.state}  chunks {now.chunks_through}/{now.chunks}"
