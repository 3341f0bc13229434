"""Emptying places of the bucket, and making sure that nothing is left."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from consumers.auditing import audited
from consumers.core.faults import PassingFault
from consumers.core.objects import Objects, Version
from consumers.core.rows import Deed
from consumers.core.world import World

DELETE_AT_ONCE = 1000
TOLD = 10


@dataclass(frozen=True, slots=True)
class Emptied:
    """What went; each version of an object is counted."""

    objects: int
    bytes: int


def contents(places: Iterable[str], world: World) -> Iterator[Version]:
    """List what lies in these folders, each with its slash, or under these keys; old versions too."""
    for place in places:
        yield from lying_at(place, world.objects)


def lying_at(place: str, objects: Objects) -> Iterator[Version]:
    """List what lies in a folder, or under a key alone."""
    for version in objects.versions(place):
        if place.endswith("/") or version.key == place:
            yield version


def empty(places: Iterable[str], deed: Deed, world: World) -> Emptied:
    """Delete all of it, then look again; PassingFault if something stayed.

    ``deed`` stands in the audit before the first of it goes, and again with what went, a page at a time.
    """
    places = tuple(places)
    return empty_all(lambda: contents(places, world), deed, world)


def empty_all(look: Callable[[], Iterator[Version]], deed: Deed, world: World) -> Emptied:
    """Delete all that a look finds, then look again."""
    emptied, reasons = Emptied(0, 0), dict[Version, str]()
    listed = look()
    while page := list(islice(listed, DELETE_AT_ONCE)):
        world.checkpoint()
        kept = _delete(page, deed, world)
        reasons |= kept
        gone = [version.bytes for version in page if version not in kept]
        emptied = Emptied(emptied.objects + len(gone), emptied.bytes + sum(gone))
    left = (f"{each.key}: {reasons.get(each, 'still listed')}" for each in look())
    if stayed := list(islice(left, TOLD)):
        raise PassingFault(f"{len(stayed)} or more objects stayed: {'; '.join(stayed)}")
    return emptied


def _delete(page: Sequence[Version], deed: Deed, world: World) -> Mapping[Version, str]:
    """Delete a page, a thousand versions a call, and note what went; returns what stayed, with the reason."""
    with audited(deed, world) as told:
        kept = world.objects.delete(page)
        gone = [version.bytes for version in page if version not in kept]
        told.objects, told.bytes = len(gone), sum(gone)
    return kept
