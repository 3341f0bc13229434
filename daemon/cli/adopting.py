"""The verb that takes in what others bought: adopt."""

from typing import TYPE_CHECKING

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access

if TYPE_CHECKING:
    from schemas.messages import AdoptJob


@click.command()
@click.argument("source", metavar="JOB_ARN|OUTPUT_URI")
@click.option(
    "--model",
    help="Whose price counts where no job says it (an id or an alias).",
    shell_complete=completion.models,
)
def adopt(source: str, model: str | None) -> None:
    """Take in the output of a job of others.

    It must have ended. OUTPUT_URI is the folder of one job, or its object that ends in .jsonl.out.

    Nothing is bought, moved or deleted; doing it again changes nothing.
    """
    from consumers.core import layout
    from consumers.core.foreign import request_id_of
    from consumers.core.lifecycle import BatchState

    message = _message(source, model)
    request_id = request_id_of(message.source)
    batch_id = layout.batch_id(request_id)
    with open_access() as access:
        stored = access.store.batch(batch_id)
        if stored is not None and stored.state is not BatchState.PLANNING:
            click.echo(f"taken in already as batch {batch_id}, which is {stored.state}; nothing was sent")
            return
        _check(message, access)
        access.send(message)
    click.echo(request_id)
    click.echo(f"sent adopt_job for batch {batch_id}: see `novabatch status {batch_id}`", err=True)


def _message(source: str, model: str | None) -> "AdoptJob":
    """Read the arguments as the consumer would read the message."""
    from pydantic import ValidationError

    from schemas.messages import AdoptJob
    from schemas.parsing import explain

    try:
        return AdoptJob(source=source, model=model)
    except ValidationError as error:
        forms = (
            "Give the ARN of a job, arn:aws:bedrock:…:model-invocation-job/…, or an s3:// URI of its output."
        )
        raise click.ClickException(f"{explain(error)}\n{forms}") from error


def _check(message: "AdoptJob", access: Access) -> None:
    """Refuse at once what the consumer would refuse."""
    from consumers.core.world import Refuse
    from consumers.job_state.foreign_output import find_output
    from daemon.cli.worlds import no_lease, world_of

    found = find_output(message, world_of(access, no_lease, lambda: None))
    if isinstance(found, Refuse):
        raise click.ClickException(f"{found.code}: {found.why}")
