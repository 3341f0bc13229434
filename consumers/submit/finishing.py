"""The end of a plan: what is put to S3, what the sender hears, and who may start."""

from pydantic import BaseModel

from consumers.core.rows import Batch, Held
from consumers.core.world import World
from consumers.endings import stamp
from consumers.planning import put_plan
from consumers.wake import next_chunks
from schemas.events import Event, EventName
from schemas.facts import BatchPlanned, Fact
from schemas.messages import SettleBatch


def finish_plan(batch: Batch, held: Held, world: World) -> list[Fact]:
    """Put the plan to S3, then open the way for its chunks."""
    put_plan(batch, 0, world.store.chunk_plans(batch.batch_id, 0), world)
    world.store.finish_plan(held, world.now)
    count = world.store.count(batch.batch_id)
    return [BatchPlanned(batch.batch_id, count.files, count.refused, count.chunks)]


def after_plan(batch: Batch, world: World) -> tuple[BaseModel, ...]:
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
