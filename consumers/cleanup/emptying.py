"""Emptying a chunk's two temporary folders, and making sure that nothing is left."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from consumers.core import layout
from consumers.core.objects import Version
from consumers.core.rows import Chunk
from consumers.core.world import World

DELETE_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Emptied:
    """What went, each version counted, and what stayed with its reason."""

    objects: int
    bytes: int
    stayed: tuple[str, ...]


def contents(chunk: Chunk, world: World) -> Iterator[Version]:
    """List what lies in the chunk's own two folders, old versions too, and nowhere else."""
    for prefix in layout.temporary_prefixes(chunk.folder):
        yield from world.objects.versions(prefix)


def empty(chunk: Chunk, world: World) -> Emptied:
    """Delete all of it, a thousand versions a call, then look again."""
    objects, size = 0, 0
    reasons: dict[Version, str] = {}
    listed = contents(chunk, world)
    while page := list(islice(listed, DELETE_AT_ONCE)):
        world.checkpoint()
        kept = world.objects.delete(page)
        reasons |= kept
        objects += len(page) - len(kept)
        size += sum(version.bytes for version in page if version not in kept)
    left = (f"{each.key}: {reasons.get(each, 'still listed')}" for each in contents(chunk, world))
    return Emptied(objects, size, tuple(islice(left, 10)))
