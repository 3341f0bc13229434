"""The verbs about messages that could not be handled: dlq list, dlq redrive."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json, cell, moment, show, table, write_json
from schemas.queues import Queue

if TYPE_CHECKING:
    from daemon.adapters.dead_letters import DeadLetter

SHOWN = 100
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
    """Why each message is there; looking does not take them away."""
    with open_access() as access:
        found = [(each, letters.peek(limit)) for each, letters in _chosen(access, queue)]
    document = [_describe(each, letter) for each, letters in found for letter in letters]
    if as_json:
        write_json({"total": len(document), "messages": document})
    else:
        _show(document)


@dlq.command()
@_queue
@click.option("--id", "ids", multiple=True, help="Only the message with this id (may be repeated).")
@click.option("--code", help="Only messages with this error_code.")
@click.option("--limit", type=click.IntRange(1), help="At most so many of each queue.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent back.")
@as_json
def redrive(
    *,
    queue: str | None,
    ids: tuple[str, ...],
    code: str | None,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send messages back to the queue they came from, all or some."""

    def wanted(letter: "DeadLetter") -> bool:
        return (not ids or letter.id in ids) and (code is None or letter.error_code == code)

    with open_access() as access:
        moved = [
            _describe(each, letter)
            for each, letters in _chosen(access, queue)
            for letter in (
                [found for found in letters.peek(ALL) if wanted(found)][:limit]
                if dry_run
                else letters.redrive(wanted, limit)
            )
        ]
    if as_json:
        write_json({"total": len(moved), "messages": moved, "dry_run": dry_run})
        return
    _show(moved)
    click.echo(f"{'would send' if dry_run else 'sent'} back {len(moved)} messages")
    missing = [each for each in ids if each not in {letter["message_id"] for letter in moved}]
    if missing:
        raise click.ClickException(f"not among the dead letters: {', '.join(missing)}")


def _chosen(access: Access, only: str | None) -> Iterator[tuple[str, Any]]:
    for queue in Queue:
        if only in {None, queue.value}:
            yield queue.value, access.dead_letters(queue)


def _describe(queue: str, letter: "DeadLetter") -> dict[str, Any]:
    sent = letter.sent_at.isoformat().replace("+00:00", "Z") if letter.sent_at else None
    return {
        "queue": queue,
        "message_id": letter.id,
        "type": letter.type,
        "error_code": letter.error_code,
        "error_message": letter.error_message,
        "sent_at": sent,
        "body": letter.body,
    }


def _show(document: Sequence[dict[str, Any]]) -> None:
    made = table("queue", "message~", "sent", "why~")
    made.columns[1].min_width = 18
    for each in document:
        why = f"{each['error_code'] or 'failed too often'}: {each['error_message'] or 'see the logs'}"
        row = (each["queue"], each["message_id"], moment(each["sent_at"]), f"{each['type'] or '?'}: {why}")
        made.add_row(*map(cell, row))
    show(made, otherwise="No dead letters.")
