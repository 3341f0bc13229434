"""The verb that looks before anything is bought: plan."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from daemon.cli.access import Access, open_access
from daemon.cli.output import as_json
from daemon.cli.progress import bar

if TYPE_CHECKING:
    from consumers.core.jobs import Jobs
    from consumers.core.objects import Objects
    from consumers.core.store import Store
    from consumers.core.world import World
    from consumers.submit.outlook import Outlook
    from schemas.messages import SubmitBatch


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@as_json
def plan(file: TextIO, as_json: bool) -> None:
    """Show what a request would become; change nothing.

    Chunks, names, refusals, padding, tokens, cost and time of the request in FILE (- for standard input).
    """
    from daemon.cli.plan_document import PlanDocument
    from daemon.cli.plan_tables import PlanTables
    from daemon.cli.sending import read_file
    from schemas.messages import SubmitBatch

    message = read_file(file)
    if not isinstance(message, SubmitBatch):
        raise click.ClickException(f"a {type(message).__name__} plans nothing: write a submit_batch request")
    with open_access() as access:
        outlook = begin(message, access)
        with PlanDocument() if as_json else nullcontext(PlanTables()) as page:
            with bar("planning files") as counted:
                for part in outlook.preview:
                    outlook.add(part)
                    page.add(part)
                    counted.set(outlook.files, None, "planning files")
            page.show(outlook)
    if (problem := outlook.refusal()) is not None:
        raise click.ClickException(": ".join(problem))


def begin(message: "SubmitBatch", access: Access) -> "Outlook":
    """Begin to look at what a request would become; what would refuse it ends the verb."""
    from consumers.core.world import Refuse
    from consumers.submit.outlook import Outlook
    from consumers.submit.preview import preview
    from consumers.wake import room_for

    world = _world(access)
    begun = preview(message, world)
    if isinstance(begun, Refuse):
        raise click.ClickException(f"{begun.code}: {begun.why}")
    return Outlook(begun, room_for(begun.model, world.policy))


class OnDemand:
    """A port opened at its first use: what a request leaves no question for is never reached."""

    def __init__(self, open: Callable[[], object]) -> None:
        self._open = open

    def __getattr__(self, name: str) -> Any:
        """Open the port; settings that do not let it are a fault like others."""
        from consumers.core.faults import Rejected
        from daemon.settings import BadSettings

        try:
            return getattr(self._open(), name)
        except (BadSettings, click.ClickException) as error:
            raise Rejected(str(error)) from error


def _world(access: Access) -> "World":
    """Return a world in which nothing is held and nothing can be created; planning only reads."""
    from consumers.core.world import World
    from daemon.adapters.local_media import MediaRoots
    from daemon.settings import aws_region

    return World(
        now=datetime.now(UTC),
        policy=access.settings.policy(aws_region()),
        models=access.models,
        analyses=access.analyses,
        store=cast("Store", OnDemand(lambda: access.store)),
        objects=cast("Objects", OnDemand(lambda: access.objects)),
        jobs=cast("Jobs", OnDemand(lambda: access.parts.jobs)),
        local=MediaRoots(access.settings.media_roots),
        hold=lambda *_: None,
        checkpoint=lambda: None,
    )
