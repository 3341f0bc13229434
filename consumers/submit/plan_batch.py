"""plan_batch: read the files of a batch, judge them, cut them into chunks; in steps that survive a crash."""

from collections.abc import Mapping
from typing import Any

from consumers.attempts import attempt
from consumers.core.chunks import LOOKAHEAD_CHUNKS, cut_ahead
from consumers.core.cutting import Cutter, limits
from consumers.core.faults import Changed, Missing, Rejected
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Batch, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.submit.finishing import after_plan, finish_plan
from consumers.submit.items import item
from consumers.submit.judging import judge_files
from consumers.submit.sources import next_page
from schemas.facts import Fact, FilesDecided
from schemas.messages import PlanBatch

STEPS_A_MESSAGE = 10
WINDOW = 3000


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
    for _ in range(STEPS_A_MESSAGE):
        batch = _batch(message.batch_id, world)
        if batch.state is not BatchState.PLANNING:
            return done(facts, after_plan(batch, world))
        facts += _step(batch, held, world)
        world.checkpoint()
    return done(facts, [message])


def _batch(batch_id: str, world: World) -> Batch:
    batch = world.store.batch(batch_id)
    if batch is None:
        raise Missing(f"batch {batch_id} left the store")
    return batch


def _step(batch: Batch, held: Held, world: World) -> list[Fact]:
    phase = batch.cursor.get("phase", "read")
    if batch.cancelled:
        phase = "finish"
    if phase == "read":
        return _read(batch, held, world)
    if phase == "cut":
        return _cut(batch, held, world)
    return finish_plan(batch, held, world)


def _read(batch: Batch, held: Held, world: World) -> list[Fact]:
    first = int(batch.cursor.get("next", 0))
    try:
        page = next_page(batch, batch.cursor.get("at", {}), world)
    except (Missing, Changed, Rejected) as fault:
        return _give_up(batch, held, f"the files could not be read: {fault.message}", world)
    files = judge_files(batch, page.files, first, world)
    following = first + len(files)
    cursor: Mapping[str, Any] = {"phase": "read", "next": following, "at": page.at}
    if page.at is None:
        cursor = {"phase": "cut", "first": 0, "index": 0}
    world.store.plan_files(held, files, cursor)
    refused = sum(1 for file in files if file.code)
    decided = (("planned", len(files) - refused), ("refused", refused))
    return [FilesDecided(batch.batch_id, outcome, count) for outcome, count in decided if count]


def _give_up(batch: Batch, held: Held, why: str, world: World) -> list[Fact]:
    """End the plan with what it holds; the batch will say why."""
    world.store.plan_files(held, (), {"phase": "finish", "reason": why})
    world.store.find("plan_failed", batch.batch_id, why, world.now)
    return []


def _cut(batch: Batch, held: Held, world: World) -> list[Fact]:
    model = world.models.find(batch.model)
    if model is None:
        raise Rejected(f"model {batch.model} left the model table: add it to MODELS_FILE", "unknown_model")
    bounds = limits(world.policy, model)
    window = max(WINDOW, (LOOKAHEAD_CHUNKS + 2) * bounds.max_files)
    first, index = int(batch.cursor["first"]), int(batch.cursor["index"])
    files = world.store.uncut_files(batch.batch_id, first, window)
    items = [item(batch, file, model, world.analyses) for file in files]
    complete = len(files) < window
    ahead = cut_ahead([each.piece() for each in items], bounds, complete)
    cutter = Cutter(batch, model, world.analyses, world.now.date())
    new = cutter.chunks(items, ahead.cuts, index, round=0, since=batch.created_at)
    cursor: Mapping[str, Any] = {"phase": "finish"}
    if not complete:
        cursor = {"phase": "cut", "first": items[ahead.kept_from].position, "index": index + len(new)}
    world.store.plan_chunks(held, new, cursor)
    return []
