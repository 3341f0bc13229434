"""Waiting for a batch's end, with a bar on a terminal and plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from consumers.core import layout
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from daemon.cli.access import Access

if TYPE_CHECKING:
    from daemon.adapters.views.standing import Progress

LOOK_EVERY = 1.0
PATIENCE = 60.0
GOOD = frozenset({BatchState.COMPLETED, BatchState.COMPLETED_WITH_ERRORS})


def wait_for_end(request_id: str, access: Access) -> None:
    """Wait until a batch has ended; FAILED and CANCELLED end with exit code 1."""
    batch_id = layout.batch_id(request_id)
    seen = _changes(batch_id, access)
    last = _with_bar(seen) if sys.stdout.isatty() else _with_lines(seen)
    if last.state not in GOOD:
        reason = f": {last.reason}" if last.reason else ""
        raise click.ClickException(f"batch {batch_id} ended as {last.state}{reason}")


def _changes(batch_id: str, access: Access) -> Iterator["Progress"]:
    """Yield a batch's progress each time it has changed, until its end."""
    pause, before = threading.Event(), None
    doubtful = time.monotonic() + PATIENCE
    while True:
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
        pause.wait(LOOK_EVERY)


def _with_lines(seen: Iterator["Progress"]) -> "Progress":
    for now in seen:
        click.echo(line(now))
    return now


def _with_bar(seen: Iterator["Progress"]) -> "Progress":
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%")
    ) as bar:
        task = bar.add_task("waiting for the submit consumer", total=None)
        for now in seen:
            bar.update(task, description=line(now), total=now.records or None, completed=now.records_through)
    return now


def line(now: "Progress") -> str:
    """Say in one line how far a batch is."""
    return (
        f"{now.state}  chunks {now.chunks_through}/{now.chunks}  records {now.records_through}/{now.records}"
    )
