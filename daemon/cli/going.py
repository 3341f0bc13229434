"""What a cleaning would delete, and what came of it; the same for chunks and for what is nobody's."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import click

from daemon.cli.output import cell, show, size, table
from daemon.cli.progress import bar
from daemon.cli.stopping import Stopped, until_stopped

if TYPE_CHECKING:
    from schemas.messages import Message

LOOK_EVERY = 0.5
CLEANS_ON = "the cleaning goes on: `novabatch cleanup --dry-run` shows what is left."


@dataclass(frozen=True, slots=True)
class Going:
    """A folder that would go, or another place; ``chunk_id`` None where it belongs to no chunk."""

    chunk_id: str | None
    folder: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it: objects and bytes of each that is gone, and why the others are not."""

    gone: Sequence[tuple[int, int]]
    errors: Sequence[dict[str, str | None]]


class Wish(Protocol):
    """What a person wants deleted: all of it, the messages that ask for it, and the wait for its end."""

    going: list[Going]

    def messages(self) -> "Sequence[Message]":
        """Return what to send."""

    def ended(self, wait: int) -> Ended:
        """Wait for so many seconds, and say what came of it."""


def wait_for(count_left: Callable[[], int], total: int, seconds: float, goes_on: str) -> None:
    """Look again and again until nothing is left, or the time is over; ``goes_on`` is for Ctrl-C."""
    end = time.monotonic() + seconds
    with until_stopped() as stopped, bar("cleaning", total) as shown:
        while (left := count_left()) and time.monotonic() < end and not stopped.is_set():
            shown.set(total - left, total, "cleaning")
            stopped.wait(LOOK_EVERY)
        shown.set(total - left, total, "cleaning")
    if left and stopped.is_set():
        raise Stopped(goes_on)


def show_going(going: Sequence[Going]) -> None:
    """Show what would go, a line for each."""
    made = table("chunk", "folder~", "objects>", "bytes>")
    for each in going:
        chunk = "…" + each.chunk_id[-12:] if each.chunk_id else ""
        made.add_row(*map(cell, (chunk, each.folder, each.objects, size(each.bytes))))
    show(made, otherwise="Nothing to clean.")


def describe(wish: Wish, ended: Ended, *, dry_run: bool) -> dict[str, Any]:
    """Make the document of the verb."""
    return {
        "jobs_processed": len(wish.going),
        "jobs_cleaned": len(ended.gone),
        "objects_deleted": sum(objects for objects, _ in ended.gone),
        "bytes_freed": sum(bytes for _, bytes in ended.gone),
        "errors": list(ended.errors),
        "dry_run": dry_run,
        "folders": [asdict(each) for each in wish.going],
    }


def would_end(wish: Wish) -> Ended:
    """Say what would come of it if all went well."""
    return Ended([(each.objects, each.bytes) for each in wish.going], [])


def tell(document: dict[str, Any]) -> None:
    """Say in a line what came of it, and what did not go and why."""
    what = "would clean" if document["dry_run"] else "cleaned"
    named = "chunks" if all(each["chunk_id"] for each in document["folders"]) else "places"
    click.echo(
        f"{what} {document['jobs_cleaned']} of {document['jobs_processed']} {named}: "
        f"{document['objects_deleted']} objects, {size(document['bytes_freed'])}"
    )
    for error in document["errors"]:
        click.echo(f"{error['chunk_id'] or error['folder']}: {error['message']}", err=True)
    if document["errors"]:
        click.echo("Is `novabatch run cleanup` running? The messages wait for it.", err=True)
