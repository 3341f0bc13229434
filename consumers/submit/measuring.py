"""Measuring originals in S3: by what their source told, by listing a folder they share, else one by one."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from consumers.core.faults import Denied, Fault, Missing, Rejected
from consumers.core.objects import ObjectInfo
from consumers.core.originals import ARCHIVED
from consumers.core.world import World

WORTH_LISTING = 100
"""Files that share a folder before it is listed for them."""
OBJECTS_A_FILE = 20
"""Objects listed for each file before the rest is asked one by one: a page of 1,000 takes about as long as
50 HeadObject calls in parallel."""

Place = tuple[str, str]
"""A bucket and a key."""
Measure = ObjectInfo | Fault
ABSENT = Missing("it does not exist")


def measure(
    places: Sequence[Place], told: Mapping[Place, ObjectInfo], world: World
) -> Mapping[Place, Measure]:
    """Return size, ETag and storage class of each object, or the fault that stands in its place.

    ``told`` is what the source knows already. An object in an archive class is always asked for by itself:
    only that tells for certain whether it was restored. Raises what strikes a whole listing and passes.
    """
    found: dict[Place, Measure] = {place: told[place] for place in places if _is_settled(told.get(place))}
    for bucket, folder, keys in _folders(place for place in places if place not in told):
        found.update(_listed(bucket, folder, keys, world))
    rest = [place for place in dict.fromkeys(places) if place not in found]
    for place, answer in zip(rest, world.objects.heads(rest) if rest else (), strict=True):
        world.checkpoint()
        found[place] = answer
    return found


def _is_settled(told: Measure | None) -> bool:
    return isinstance(told, ObjectInfo) and told.storage_class not in ARCHIVED


def _folders(places: Iterable[Place]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield the folders worth a listing, with their keys in order."""
    folders: dict[Place, set[str]] = defaultdict(set)
    for bucket, key in places:
        folders[bucket, key[: key.rfind("/") + 1]].add(key)
    for (bucket, folder), keys in folders.items():
        if len(keys) >= WORTH_LISTING:
            yield bucket, folder, sorted(keys)


def _listed(bucket: str, folder: str, keys: Sequence[str], world: World) -> Mapping[Place, Measure]:
    """Tell of the keys behind the first one, as far as the listing goes: it begins behind a key."""
    waiting = deque(keys[1:])
    listing = world.objects.list(folder, bucket, keys[0])
    found: dict[Place, Measure] = {}
    try:
        for info in islice(listing, OBJECTS_A_FILE * len(keys)):
            while waiting and waiting[0] < info.key:
                found[bucket, waiting.popleft()] = ABSENT
            if waiting and waiting[0] == info.key:
                found[bucket, waiting.popleft()] = info
            if not waiting:
                break
        if waiting and next(listing, None) is None:
            found.update(((bucket, key), ABSENT) for key in waiting)
    except (Denied, Missing, Rejected):
        return {}
    return {place: told for place, told in found.items() if told is ABSENT or _is_settled(told)}
