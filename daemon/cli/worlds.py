"""The world of a stage, as a verb that runs one in its own process gives it."""

from collections.abc import Callable

from consumers.core.rows import Held, Leased
from consumers.core.world import World
from daemon.cli.access import Access


def world_of(
    access: Access, hold: Callable[[Leased, str], Held | None], checkpoint: Callable[[], None]
) -> World:
    """Put together what a stage may touch; the leases are the caller's to take and to let go."""
    parts = access.parts
    return World(
        now=parts.clock.now(),
        policy=parts.policy,
        models=access.models,
        analyses=access.analyses,
        store=access.store,
        objects=parts.objects,
        jobs=parts.jobs,
        local=parts.local,
        hold=hold,
        checkpoint=checkpoint,
    )


def no_lease(kind: Leased, id: str) -> None:
    """Take none: only what can be told without one is asked."""
    del kind, id
