"""Files with something to buy become chunks, a window of files at a time."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from consumers.core.chunks import LOOKAHEAD_CHUNKS, cut_ahead, full_cuts
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


def cut_windows(
    batch: Batch, items: Iterator[Item], index: int, model: Model, world: World, round: int = 0
) -> Iterator[tuple[list[NewChunk], Item | None]]:
    """Cut items as they come: the chunks of each window, with the first item that waits for the next one."""
    window: list[Item] = []
    kept_from: int | None = 0
    while kept_from is not None:
        window = window[kept_from:]
        window += islice(items, window_size(model, world) - len(window))
        new, kept_from = cut_window(batch, window, index, model, world, round)
        index += len(new)
        yield new, None if kept_from is None else window[kept_from]


def cut_full(
    batch: Batch, items: Sequence[Item], index: int, model: Model, world: World, round: int
) -> list[NewChunk]:
    """Cut only the chunks of a later round that are full; what is left waits for more."""
    cuts = full_cuts([each.piece() for each in items], limits(world.policy, model))
    cutter = Cutter(batch, model, world.analyses, world.now.date())
    return cutter.chunks(items, cuts, index, round, since=world.now)
