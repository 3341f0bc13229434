"""The verbs that post messages: send, cancel, retry."""

import json
from typing import TYPE_CHECKING, TextIO
from uuid import uuid4

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access
from schemas.queues import Queue

if TYPE_CHECKING:
    from schemas.messages import Message, SubmitBatch


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--wait", is_flag=True, help="Wait until the batch has ended, showing progress.")
def send(file: TextIO, wait: bool) -> None:
    """Post the request in FILE (- for standard input).

    A missing request_id is added. The request_id is printed, so that it can be asked for later.
    """
    from daemon.cli.waiting import wait_for_end
    from schemas.messages import SubmitBatch

    message = read_file(file)
    with open_access() as access:
        if isinstance(message, SubmitBatch):
            _check(message, access)
        access.send(message)
        if not isinstance(message, SubmitBatch):
            click.echo(f"sent {type(message).__name__}")
        else:
            click.echo(message.request_id)
            if wait:
                wait_for_end(message.request_id, access)


def read_file(file: TextIO) -> "Message":
    """Read a message from a file as the consumer would; what it would refuse ends the verb."""
    try:
        return read(file.read())
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{file.name} is not UTF-8 text: {error.reason}. Save it as UTF-8."
        ) from error


def read(text: str) -> "Message":
    """Read a message as the consumer would, after giving a request without request_id one."""
    from schemas.messages import Message
    from schemas.parsing import UnreadableMessage, parse

    try:
        message = parse(Queue.SUBMIT, _with_request_id(text))
    except UnreadableMessage as error:
        raise click.ClickException(f"{error.code}: {error.message}") from error
    assert isinstance(message, Message)  # noqa: S101 - the submit queue knows no other
    return message


def _with_request_id(text: str) -> str:
    """Add a request_id where a request has none; what is no JSON object is left for the parser to judge."""
    from schemas.json_object import BadJson, read_object

    try:
        fields = read_object(text)
    except BadJson:
        return text
    if fields.get("type", "submit_batch") != "submit_batch":
        return text
    return text if "request_id" in fields else json.dumps({**fields, "request_id": f"cli-{uuid4().hex[:16]}"})


def _check(message: "SubmitBatch", access: Access) -> None:
    """Refuse at once what the consumer would refuse for its model, buckets or analysis types."""
    from consumers.submit.problems import problem_of

    problem = problem_of(message, access.models, access.analyses, access.policy)
    if problem is not None:
        raise click.ClickException(": ".join(problem))


@click.command()
@click.argument("batch", shell_complete=completion.batches)
def cancel(batch: str) -> None:
    """Stop what has not started and keep what is finished."""
    from consumers.core.lifecycle import BATCH_ENDS
    from schemas.messages import CancelBatch

    with open_access() as access:
        batch_id = access.batch_id_of(batch)
        state = access.views.state_of(batch_id)
        if state in BATCH_ENDS:
            raise click.ClickException(
                f"batch {batch_id} has ended as {state}: nothing is left to cancel. "
                f"`novabatch status {batch_id}` tells what came of it."
            )
        access.send(CancelBatch(batch_id=batch_id))
    click.echo(f"sent cancel_batch for {batch_id}: see `novabatch status {batch_id}`")


@click.command()
@click.argument("batch", shell_complete=completion.batches)
def retry(batch: str) -> None:
    """Send again what has no good result.

    The batch must have ended; permanent failures are tried again, too, and refused files looked at again.
    """
    from consumers.core.foreign import adopted_from, not_planned_here
    from consumers.core.lifecycle import BATCH_ENDS, BatchState
    from consumers.naming import gone_by_age
    from consumers.resubmission import never_planned
    from schemas.messages import RetryBatch

    with open_access() as access:
        batch_id = access.batch_id_of(batch)
        stored = access.store.batch(batch_id)
        if stored is not None and (source := adopted_from(stored)):
            raise click.ClickException(not_planned_here(batch_id, source))
        if stored is None or stored.state not in BATCH_ENDS:
            state = stored.state if stored else "gone"
            raise click.ClickException(
                f"batch {batch_id} is {state}: retry it when it has ended, or cancel it first."
            )
        if stored.results_removed_at is not None:
            raise click.ClickException(gone_by_age(stored))
        if stored.state is BatchState.COMPLETED:
            click.echo(f"batch {batch_id} is COMPLETED: nothing to send again, nothing was sent")
            return
        left_out, count = never_planned(stored), access.store.count(batch_id)
        if left_out and not count.records + count.refused:
            raise click.ClickException(f"batch {batch_id} has nothing to send again. {left_out}")
        access.send(RetryBatch(batch_id=batch_id, revision=stored.revision))
    click.echo(f"sent retry_batch for {batch_id}: see `novabatch status {batch_id}`")
    if left_out:
        click.echo(f"note: {left_out}", err=True)
