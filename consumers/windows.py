"""Files with something to buy become chunks, a window of files at a time."""

from collections.abc import Sequence
from typing import NamedTuple

from consumers.core.chunks import LOOKAHEAD_CHUNKS, cut_ahead
from consumers.core.cutting import Cutter, Item, limits
from consumers.core.rows import Batch, NewChunk
from consumers.core.world import World
from schemas.models import Model

WINDOW = 3000


class Windowed(NamedTuple):
    """The chunks that are certain now, and where the next window begins; None after the last."""

    chunks: list[NewChunk]
    kept_from: int | None


def window_size(model: Model, world: World) -> int:
    """Return how many items are looked at together; fewer are the last ones."""
    return max(WINDOW, (LOOKAHEAD_CHUNKS + 2) * limits(world.policy, model).max_files)


def cut_window(
    batch: Batch, items: Sequence[Item], index: int, model: Model, world: World, round: int = 0
) -> Windowed:
    """Cut the next ``window_size`` items of a batch, its chunks numbered from ``index``.

    The chunks of a plan wait since their batch was accepted, those of a later round since now.
    """
    complete = len(items) < window_size(model, world)
    ahead = cut_ahead([each.piece() for each in items], limits(world.policy, model), complete)
    cutter = Cutter(batch, model, world.analyses, world.now.date())
    chunks = cutter.chunks(items, ahead.cuts, index, round, since=world.now if round else batch.created_at)
    return Windowed(chunks, None if complete else ahead.kept_from)
