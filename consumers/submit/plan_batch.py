"""plan_batch: read the files of a batch, judge them, cut them into chunks; in steps that survive a crash."""

from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from consumers.attempts import attempt
from consumers.core.cutting import Item
from consumers.core.faults import Missing, Rejected
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Batch, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.submit.finishing import after_plan, finish_plan
from consumers.submit.items import item
from consumers.submit.reading import read_files
from consumers.submit.windows import cut_window, window_size
from schemas.facts import Fact
from schemas.messages import PlanBatch
from schemas.models import Model

STEPS_A_MESSAGE = 100


def plan_batch(message: PlanBatch, world: World) -> Outcome:
    """Continue a plan by some steps; the last one opens the way for the first chunks."""
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state is not BatchState.PLANNING:
        return done(then=after_plan(batch, world))
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Done()
    return attempt(held, "plan", world, lambda: _steps(message, held, world))


def _steps(message: PlanBatch, held: Held, world: World) -> Outcome:
    facts: list[Fact] = []
    with closing(_plan(message.batch_id, held, world)) as steps:
        for told in islice(steps, STEPS_A_MESSAGE):
            facts += told
            world.checkpoint()
    batch = _batch(message.batch_id, world)
    planning = batch.state is BatchState.PLANNING
    return done(facts, [message] if planning else after_plan(batch, world))


def _plan(batch_id: str, held: Held, world: World) -> Generator[list[Fact], None, None]:
    """Go on with a plan from where it stands until it is complete; what it yields of is stored."""
    batch = _batch(batch_id, world)
    if _phase(batch) == "read":
        for told in read_files(batch, held, world):
            yield told
            if _batch(batch_id, world).cancelled:
                break
    while (batch := _batch(batch_id, world)).state is BatchState.PLANNING:
        yield _cut(batch, held, world) if _phase(batch) == "cut" else finish_plan(batch, held, world)


def _batch(batch_id: str, world: World) -> Batch:
    batch = world.store.batch(batch_id)
    if batch is None:
        raise Missing(f"batch {batch_id} left the store")
    return batch


def _phase(batch: Batch) -> str:
    return "finish" if batch.cancelled else str(batch.cursor.get("phase", "read"))


def _cut(batch: Batch, held: Held, world: World) -> list[Fact]:
    model = world.models.find(batch.model)
    if model is None:
        raise Rejected(f"model {batch.model} left the model table: add it to MODELS_FILE", "unknown_model")
    items = _window(batch, window_size(model, world), model, world)
    index = int(batch.cursor["index"])
    new, kept_from = cut_window(batch, items, index, model, world)
    cursor: Mapping[str, Any] = {"phase": "finish"}
    if kept_from is not None:
        cursor = {"phase": "cut", "first": items[kept_from].position, "index": index + len(new)}
    world.store.plan_chunks(held, new, cursor)
    return []


def _window(batch: Batch, size: int, model: Model, world: World) -> list[Item]:
    """Gather the next ``size`` files with something to buy; fewer at the end."""
    items: list[Item] = []
    first: int | None = int(batch.cursor["first"])
    while first is not None and len(items) < size:
        files = world.store.uncut_files(batch.batch_id, first, size)
        found = (item(batch, file, model, world.analyses) for file in files)
        items += [each for each in found if each is not None]
        first = files[-1].position + 1 if len(files) == size else None
        world.checkpoint()
    return items[:size]
