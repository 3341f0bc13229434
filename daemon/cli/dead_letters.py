"""The verbs about messages that could not be handled: dlq list, dlq redrive."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from consumers.core.faults import Fault
from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, counted, write_json
from schemas.queues import Queue

if TYPE_CHECKING:
    from daemon.adapters.dead_letters import DeadLetter, DeadLetters
    from daemon.cli.letters import Reader

    Opened = list[tuple[Queue, DeadLetters]]

SHOWN = 100
SEE = "`novabatch dlq list` shows those that are there."
ALL = 1_000_000
_queue: Callable[[Any], Any] = click.option(
    "--queue", type=click.Choice([queue.value for queue in Queue]), help="Only this queue."
)


@click.group()
def dlq() -> None:
    """Messages that could never work, or failed too often."""


@dlq.command("list")
@_queue
@click.option(
    "--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Letters of each queue."
)
@as_json
def list_letters(queue: str | None, limit: int, as_json: bool) -> None:
    """Why each message is there; looking does not take them away.

    The reason is what the consumer wrote on it; else what its body is refused for, or the last error of the
    chunk or batch it is about.
    """
    from daemon.cli.letters import Reader, show_codes, show_letters

    with open_access() as access:
        reader = Reader(access)
        found = _peek(list(_chosen(access, queue)), limit)
        document = [reader.describe(each, letter) for each, letters in found for letter in letters]
    if as_json:
        write_json({"total": len(document), "messages": document})
        return
    show_letters(document)
    show_codes(document)
    if document:
        click.echo("Mend the cause, then send back all or some: `novabatch dlq redrive --dry-run`.")


@dlq.command()
@_queue
@click.option("--id", "ids", multiple=True, help="Only the message with this id (may be repeated).")
@click.option("--code", "codes", multiple=True, help="Only messages with this error_code (may be repeated).")
@click.option("--type", "types", multiple=True, help="Only messages of this type (may be repeated).")
@click.option("--limit", type=click.IntRange(1), help="At most so many of each queue.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent back.")
@as_json
def redrive(
    *,
    queue: str | None,
    ids: tuple[str, ...],
    codes: tuple[str, ...],
    types: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send messages back to the queue they came from, all or some.

    Cut short it loses none: each is sent before it is deleted here, and the same message twice changes
    nothing.
    """
    from daemon.cli.letters import Reader, show_letters

    with open_access() as access:
        wish = Wish(Reader(access), ids, codes, types, limit)
        opened = list(_chosen(access, queue))
        moved = wish.found(opened) if dry_run else _sent(wish, opened, access)
    missing = [each for each in ids if each not in {letter["message_id"] for letter in moved}]
    if as_json:
        write_json({"total": len(moved), "messages": moved, "dry_run": dry_run, "not_found": missing})
    elif moved or not missing:
        show_letters(moved)
        click.echo(f"{'would send' if dry_run else 'sent'} back {counted(len(moved), 'message')}")
    if missing:
        raise click.ClickException(f"not among the dead letters: {', '.join(missing)}. {SEE}")


class Wish:
    """Which letters a person wants sent back; a filter that is not given lets all through."""

    def __init__(
        self,
        reader: "Reader",
        ids: tuple[str, ...],
        codes: tuple[str, ...],
        types: tuple[str, ...],
        limit: int | None,
    ) -> None:
        self._reader = reader
        self._ids, self._codes, self._types = ids, codes, types
        self._limit = limit

    def found(self, opened: "Opened") -> list[dict[str, Any]]:
        """Describe what would be sent back."""
        return [
            self._reader.describe(queue, letter)
            for queue, letters in _peek(opened, ALL)
            for letter in [each for each in letters if self._wants(queue, each)][: self._limit]
        ]

    def sent(
        self, opened: "Opened", begin: Callable[[Queue], None], note: "Callable[[Queue, DeadLetter], None]"
    ) -> list[dict[str, Any]]:
        """Send them back and describe them; a fault tells how many were sent before it.

        ``begin`` hears of each queue before its first letter goes, ``note`` of each letter that went.
        """
        from daemon.cli.progress import bar

        moved: list[dict[str, Any]] = []
        try:
            with bar("sending back", sum(dead.count() for _, dead in opened)) as told:
                for queue, dead in opened:
                    for page in dead.redrive(partial(self._takes, queue, begin), self._limit):
                        for letter in page:
                            note(queue, letter)
                            moved.append(self._reader.describe(queue, letter))
                        told.add(len(page))
        except Fault as fault:
            left = "the others are where they were: run it again to go on"
            raise click.ClickException(
                f"{fault.message}\n{counted(len(moved), 'message')} had been sent back by then; {left}."
            ) from fault
        return moved

    def _takes(self, queue: Queue, begin: Callable[[Queue], None], letter: "DeadLetter") -> bool:
        wanted = self._wants(queue, letter)
        if wanted:
            begin(queue)
        return wanted

    def _wants(self, queue: Queue, letter: "DeadLetter") -> bool:
        return (
            (not self._ids or letter.id in self._ids)
            and (not self._types or letter.type in self._types)
            and (not self._codes or self._reader.reason(queue, letter).code in self._codes)
        )


def _sent(wish: Wish, opened: "Opened", access: Access) -> list[dict[str, Any]]:
    """Send letters back; the audit tells of the wish where a letter was chosen, and of each that went."""
    from consumers.core.rows import Deed, Verb

    begun: set[Queue] = set()

    def begin(queue: Queue) -> None:
        if queue not in begun:
            begun.add(queue)
            stack.enter_context(access.diary.noted(Deed(Verb.REDRIVE, f"queue {queue.value}")))

    def note(queue: Queue, letter: "DeadLetter") -> None:
        access.diary.told(Deed(Verb.REDRIVE, letter.id, detail=f"back to {queue.value}"))

    with ExitStack() as stack:
        return wish.sent(opened, begin, note)


def _peek(opened: "Opened", limit: int) -> "list[tuple[Queue, list[DeadLetter]]]":
    """Look into all queues at once: only an empty answer after a second says that nothing more is there."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda each: each[1].peek(limit), opened)
        return [(queue, letters) for (queue, _), letters in zip(opened, found, strict=True)]


def _chosen(access: Access, only: str | None) -> "Iterator[tuple[Queue, DeadLetters]]":
    for queue in Queue:
        if only in {None, queue.value}:
            yield queue, access.dead_letters(queue)
