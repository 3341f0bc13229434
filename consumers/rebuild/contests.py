"""Plans that claim the same chunk numbers: of a split or a round that never came to be, and of what did.

A plan is put to S3 before its chunks are stored, and written anew with other numbers when these were taken
meanwhile. A database lost between the two leaves a plan whose numbers are another's.
"""

from collections.abc import Iterator, Sequence

from consumers.core import layout
from consumers.core.plan_reading import PlannedChunk
from consumers.core.world import World
from consumers.rebuild.kept import Kept, open_plan


def stale_plans(kept: Kept, world: World) -> frozenset[str]:
    """Return the keys of later plans whose chunks are not to be stored.

    Of those who claim a number the folder of that chunk tells whose it is. Where nothing was staged nothing
    was bought either: one is as good as the other, and what the other would have sent is split again, or
    gathered again.
    """
    if not kept.splits:
        return frozenset()
    claims: dict[int, list[str]] = {}
    for key in (*(key for _, key in kept.split_plans), *kept.round_plans):
        for planned in _chunks(key, world):
            claims.setdefault(planned.chunk.index, []).append(key)
    contested = [(number, keys) for number, keys in claims.items() if len(keys) > 1]
    return frozenset(key for number, keys in contested for key in _losers(number, keys, world))


def _losers(number: int, keys: Sequence[str], world: World) -> list[str]:
    winner = next((key for key in keys if _was_staged(number, key, world)), keys[0])
    return [key for key in keys if key != winner]


def _was_staged(number: int, key: str, world: World) -> bool:
    """Tell whether the folder of a chunk holds what this plan says of it."""
    planned = next(each.chunk for each in _chunks(key, world) if each.chunk.index == number)
    copies = world.objects.list(layout.input_prefix(planned.folder) + layout.FILES_FOLDER)
    names = {info.key.rpartition("/")[2] for info in copies}
    return bool(names) and names <= set(planned.safe_names.values())


def _chunks(key: str, world: World) -> Iterator[PlannedChunk]:
    _, entries = open_plan(key, world)
    return (each for each in entries if isinstance(each, PlannedChunk))
