"""The end of a plan: what is put to S3, what the sender hears, and who may start."""

from pydantic import BaseModel

from consumers.core.cost import money
from consumers.core.forecast import expected_end
from consumers.core.rows import Batch, BatchCount, Held
from consumers.core.stops import BUDGET_EXCEEDED, over_budget
from consumers.core.world import World
from consumers.endings import in_utc, stamp, stop_buying
from consumers.planning import put_plan
from consumers.wake import next_chunks
from schemas.documents import Accepted, Refused
from schemas.events import Event, EventName
from schemas.facts import BatchPlanned, Fact
from schemas.messages import SettleBatch


def finish_plan(batch: Batch, held: Held, world: World) -> list[Fact]:
    """Put the plan to S3, decide whether it may be paid for, then open the way for its chunks.

    The decision is stored with the plan before anything follows from it: a run cut short goes on with it.
    """
    count = world.store.count(batch.batch_id)
    put_plan(batch, world)
    answer: Accepted | Refused | None = batch.cursor.get("answer")
    if answer is None:
        answer = _answer(batch, count, world)
        cut_short = batch.cursor.get("phase", "read") != "finish"
        cursor = {**batch.cursor, "phase": "finish", "answer": answer, "cut_short": cut_short}
        world.store.plan_files(held, (), cursor)
    told = stop_buying(batch, answer["error_message"], world) if "error_code" in answer else ()
    canary = world.policy.canary_chunks
    world.store.finish_plan(held, world.now, canary=canary if 0 < canary < count.chunks else None)
    return [BatchPlanned(batch.batch_id, count.files, count.refused, count.chunks), *told]


def after_plan(batch: Batch, world: World) -> tuple[BaseModel, ...]:
    """Return what follows a complete plan: the sender's answer, and the chunks that may start."""
    answer = batch.cursor.get("answer") or _answer(batch, world.store.count(batch.batch_id), world)
    name = EventName.BATCH_REFUSED if "error_code" in answer else EventName.BATCH_ACCEPTED
    event = Event(name=name, time=stamp(world), detail=answer)
    if world.store.is_through(batch.batch_id):
        return (event, SettleBatch(batch_id=batch.batch_id))
    return (event, *next_chunks(batch.model, world, batch.batch_id))


def _answer(batch: Batch, count: BatchCount, world: World) -> Accepted | Refused:
    """Return what the sender hears: what the batch will take, or why it is not begun."""
    estimate = world.store.estimate(batch.batch_id)
    why = None if batch.cancelled else over_budget(batch, estimate)
    if why is not None:
        return _refused(batch, why)
    return {
        "version": 1,
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "files": count.files,
        "refused": count.refused,
        "reused": count.reused,
        "chunks": count.chunks,
        "estimate_usd": money(estimate),
        "expected_end": _expected_end(batch, count, world),
    }


def _refused(batch: Batch, why: str) -> Refused:
    return {
        "version": 1,
        "batch_id": batch.batch_id,
        "request_id": batch.request_id,
        "error_code": BUDGET_EXCEEDED,
        "error_message": why,
    }


def _expected_end(batch: Batch, count: BatchCount, world: World) -> str | None:
    model = world.models.find(batch.model)
    if model is None:
        return None
    before = world.store.backlog(batch.model) - count.chunks
    return in_utc(expected_end(world.now, before, count.chunks, model.slots))
