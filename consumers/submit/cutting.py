"""The second part of a plan: what its files need is cut into chunks, a window of files at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

from consumers.core.cutting import Item
from consumers.core.rows import Batch, Held
from consumers.core.world import World
from consumers.resubmission import model_of
from consumers.submit.items import item
from consumers.windows import cut_windows
from schemas.facts import Fact
from schemas.models import Model

FILES_AT_ONCE = 1000


def cut_files(batch: Batch, held: Held, world: World) -> Iterator[list[Fact]]:
    """Store the batch's chunks from its cursor on; the chunks of each window are a step of their own."""
    model = model_of(batch, world)
    index = int(batch.cursor["index"])
    for new, waiting in cut_windows(batch, _needed(batch, model, world), index, model, world):
        index += len(new)
        cursor: Mapping[str, Any] = {"phase": "finish"}
        if waiting is not None:
            cursor = {"phase": "cut", "first": waiting.position, "index": index}
        world.store.plan_chunks(held, new, cursor)
        yield []


def _needed(batch: Batch, model: Model, world: World) -> Iterator[Item]:
    """Read on behind the cursor and leave out the files of which nothing is to be bought."""
    first: int | None = int(batch.cursor["first"])
    while first is not None:
        world.checkpoint()
        files = world.store.uncut_files(batch.batch_id, first, FILES_AT_ONCE)
        found = (item(batch, file, model, world.analyses) for file in files)
        yield from (each for each in found if each is not None)
        first = files[-1].position + 1 if len(files) == FILES_AT_ONCE else None
