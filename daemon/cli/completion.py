"""What a shell is offered where a verb wants a name: batches of the store, models of the table.

Whatever goes wrong, nothing is offered and nothing is said: the person is in the middle of typing.
"""

from typing import Any

import click
from click.shell_completion import CompletionItem

from consumers.core.faults import Fault
from daemon.cli.access import open_access, views_if_any

OFFERED = 50


def batches(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the newest batches by request_id, and by batch_id to whoever has begun to type one."""
    del ctx, param
    try:
        with open_access() as access:
            views = views_if_any(access)
            found = views.names_like(incomplete, OFFERED) if views else []
    except (click.ClickException, Fault):
        return []
    return [CompletionItem(name, help=state) for name, state in found]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer ids and aliases of models."""
    del ctx, param
    try:
        with open_access() as access:
            names: Any = access.models.names()
    except click.ClickException:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
