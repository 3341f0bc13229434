"""Effects outside: noted before they begin, and again with what came of them, however they end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from consumers.core.faults import Fault, LeaseLost
from consumers.core.rows import Deed
from consumers.core.world import World


@dataclass(slots=True)
class Told:
    """What an effect tells of itself while it is done."""

    objects: int | None = None
    bytes: int | None = None


@contextmanager
def audited(deed: Deed, world: World) -> Iterator[Told]:
    """Do something outside within the block; a fault is noted as what came of it, and goes on."""
    world.store.intend(deed)
    told = Told()
    try:
        yield told
    except LeaseLost:
        raise
    except Fault as fault:
        world.store.came_of(replace(deed, detail=f"failed: {fault.message}"))
        raise
    world.store.came_of(replace(deed, objects=told.objects, bytes=told.bytes))
