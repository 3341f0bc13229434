"""The verbs that hold submissions back and let them go: pause, resume."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from daemon.cli import completion
from daemon.cli.access import Access, open_access

_what: Callable[[Any], Any] = click.argument("what", type=click.Choice(["submit"]), metavar="submit")
_model: Callable[[Any], Any] = click.option(
    "--model", help="Only this model (an id or an alias).", shell_complete=completion.models
)


@click.command()
@_what
@_model
@click.option("--reason", default="paused by an operator", show_default=True, help="What `status` will say.")
def pause(what: str, model: str | None, reason: str) -> None:
    """Stop creating jobs; those that run go on."""
    with open_access() as access:
        access.store.pause(_model_id(access, model), reason, datetime.now(UTC))
    click.echo(f"paused {what}{_of(model)}; it goes on with `novabatch resume {what}{_option(model)}`")


@click.command()
@_what
@_model
def resume(what: str, model: str | None) -> None:
    """Create jobs again."""
    with open_access() as access:
        if not access.store.resume(_model_id(access, model)):
            click.echo(f"{what}{_of(model)} was not paused")
            return
        woken = access.wake()
    click.echo(f"resumed {what}{_of(model)}; woke {woken} chunks")


def _model_id(access: Access, name: str | None) -> str:
    from consumers.core.gate import ALL_MODELS

    if name is None:
        return ALL_MODELS
    same_slots = (each for each in access.models.models if each.base_model == name)
    model = access.models.find(name) or next(same_slots, None)
    if model is None:
        raise click.ClickException(
            f"model {name!r} is not in the model table. Use one of these: {', '.join(access.models.names())}."
        )
    return model.id


def _of(model: str | None) -> str:
    return f" for {model}" if model else ""


def _option(model: str | None) -> str:
    return f" --model {model}" if model else ""
