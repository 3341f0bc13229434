"""plan_batch: read the files of a batch, judge them, cut them into chunks; in steps that survive a crash."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from consumers.attempts import attempt
from consumers.core.chunks import LOOKAHEAD_CHUNKS, cut_ahead
from consumers.core.cutting import Item, chunks, limits
from consumers.core.faults import Changed, Missing, Rejected
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Batch, Held, Leased, NewFile, NewRecord
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.endings import stamp
from consumers.planning import put_plan
from consumers.submit.judging import judge_files
from consumers.submit.sources import next_page
from consumers.wake import next_chunks
from schemas.analyses import analysis
from schemas.events import Event, EventName
from schemas.facts import BatchPlanned, Fact, FilesDecided
from schemas.kinds import Kind
from schemas.messages import PlanBatch, SettleBatch
from schemas.models import Model

STEPS_A_MESSAGE = 10
WINDOW = 3000


def plan_batch(message: PlanBatch, world: World) -> Outcome:
    """Continue a plan by some steps; the last one opens the way for the first chunks."""
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state is not BatchState.PLANNING:
        return done(then=_after_plan(batch, world))
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Done()
    return attempt(held, "plan", world, lambda: _steps(message, held, world))


def _steps(message: PlanBatch, held: Held, world: World) -> Outcome:
    facts: list[Fact] = []
    for _ in range(STEPS_A_MESSAGE):
        batch = _batch(message.batch_id, world)
        if batch.state is not BatchState.PLANNING:
            return done(facts, _after_plan(batch, world))
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
    return _finish(batch, held, world)


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
    items = [item(batch, file, model) for file in files]
    complete = len(files) < window
    ahead = cut_ahead([each.piece() for each in items], bounds, complete)
    new = chunks(batch, items, ahead.cuts, index, round=0, since=batch.created_at)
    cursor: Mapping[str, Any] = {"phase": "finish"}
    if not complete:
        cursor = {"phase": "cut", "first": items[ahead.kept_from].position, "index": index + len(new)}
    world.store.plan_chunks(held, new, cursor)
    return []


def item(batch: Batch, file: NewFile, model: Model) -> Item:
    """Return a file with the records its analysis types need."""
    records = tuple(
        NewRecord(file.position, name, attempt=1, max_tokens=first_max_tokens(batch, name, file.kind, model))
        for name in file.analysis_types
    )
    return Item(file.position, file.file_id, file.s3_key, file.size_bytes, records)


def first_max_tokens(batch: Batch, name: str, kind: str, model: Model) -> int:
    """Return how long an answer may be: as the request or the analysis says, within the model's limit."""
    asked = batch.terms.options.max_tokens
    known = analysis(name, Kind(kind))
    default = known.inference.max_tokens if known else model.max_output_tokens
    return min(asked or default, model.max_output_tokens)


def _finish(batch: Batch, held: Held, world: World) -> list[Fact]:
    put_plan(batch, 0, world.store.chunk_plans(batch.batch_id, 0), world)
    world.store.finish_plan(held)
    count = world.store.count(batch.batch_id)
    return [BatchPlanned(batch.batch_id, count.files, count.refused, count.chunks)]


def _after_plan(batch: Batch, world: World) -> tuple[BaseModel, ...]:
    """Return what follows a complete plan: the sender's answer, and the chunks that may start."""
    count = world.store.count(batch.batch_id)
    detail = {
        "version": 1,
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "files": count.files,
        "refused": count.refused,
        "reused": count.reused,
        "chunks": count.chunks,
        "estimate_usd": None,
        "expected_end": None,
    }
    accepted = Event(name=EventName.BATCH_ACCEPTED, time=stamp(world), detail=detail)
    if count.chunks == count.chunks_through:
        return (accepted, SettleBatch(batch_id=batch.batch_id))
    return (accepted, *next_chunks(batch.model, world))
