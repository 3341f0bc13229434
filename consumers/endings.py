"""The ends of a chunk, shared by the stages that can bring one about."""

from collections import Counter
from datetime import datetime

from pydantic import BaseModel

from consumers.core import layout
from consumers.core.faults import Missing
from consumers.core.lifecycle import PAST_VALIDATION, ChunkState
from consumers.core.retention import is_settling, is_split
from consumers.core.rows import Batch, Chunk, Gate, Held
from consumers.core.stops import used_up
from consumers.core.world import Done, World, done
from consumers.resubmission import note_waiting
from consumers.wake import next_chunk, next_chunks, room_for
from schemas.documents import ChunkFinished, outcomes
from schemas.events import Event, EventName
from schemas.facts import BuyingStopped, ChunkMoved, Fact, ModelPaused
from schemas.messages import CleanupChunk, SettleBatch
from schemas.outcomes import Outcome


def end_chunk(chunk: Chunk, held: Held, state: ChunkState, reason: str, world: World) -> tuple[Fact, ...]:
    """Move a chunk to an end; after three whole-chunk failures in a row its model pauses itself."""
    if state is not ChunkState.CANCELLED:
        world.store.choose_attempts(held)
        note_waiting(chunk, held, world)
    paused = world.store.end_chunk(held, state, reason, world.now)
    ended_at = chunk.job.ended_at if chunk.job else None
    waited = (world.now - ended_at).total_seconds() if ended_at else None
    moved = ChunkMoved(chunk.chunk_id, chunk.model, state, waited, reason)
    return (moved,) if paused is None else (moved, ModelPaused(chunk.model, paused))


def fail_chunk(chunk: Chunk, held: Held, code: str, reason: str, world: World) -> tuple[Fact, ...]:
    """Give every record of a chunk without output the outcome MISSING with ``code``, then fail the chunk."""
    world.store.close_records(held, Outcome.MISSING, code, reason, world.now)
    return end_chunk(chunk, held, ChunkState.FAILED, reason, world)


def cancel_chunk(chunk: Chunk, held: Held, world: World) -> tuple[Fact, ...]:
    """End a chunk of a cancelled batch that has no job."""
    world.store.close_records(held, Outcome.CANCELLED, "CANCELLED", "The batch was cancelled.", world.now)
    return end_chunk(chunk, held, ChunkState.CANCELLED, "the batch was cancelled", world)


def stop_chunk(chunk: Chunk, held: Held, world: World) -> tuple[Fact, ...]:
    """End a chunk that is never bought, and with it all of its batch that has not started."""
    batch = batch_of(chunk, world)
    room = room_for(world.models.find(chunk.model), world.policy)
    why = batch.stopped or used_up(batch, chunk.estimate_usd, room)
    told = stop_buying(batch, why, world)
    world.store.close_records(held, Outcome.NOT_BOUGHT, Outcome.NOT_BOUGHT, why, world.now)
    return (*told, *end_chunk(chunk, held, ChunkState.CANCELLED, why, world))


def stop_buying(batch: Batch, why: str, world: World) -> tuple[Fact, ...]:
    """Buy no more of a batch; the fact is told once, the rest may be done again."""
    world.store.stop_buying(batch.batch_id, why, world.now)
    return () if batch.stopped else (BuyingStopped(batch.batch_id, why),)


def turned_away(gate: Gate, chunk: Chunk, held: Held, world: World) -> Done | None:
    """Answer for a stage whose chunk did not come through a gate; None where it did.

    A parked chunk waits as a row; one that is never bought ends.
    """
    match gate:
        case Gate.OPEN:
            return None
        case Gate.CANCELLED:
            return ended(cancel_chunk(chunk, held, world), chunk, world)
        case Gate.STOPPED:
            stopped = ended(stop_chunk(chunk, held, world), chunk, world)
            return done(stopped.facts, (*stopped.then, *next_chunks(chunk.model, world)))
        case Gate.BUDGET:
            return done(then=next_chunk(chunk.model, world))
        case _:
            return Done()


def ended(facts: tuple[Fact, ...], chunk: Chunk, world: World) -> Done:
    """Answer for a stage that has brought a chunk to its end: the facts, and what follows from the row."""
    return Done(facts, after_end(world.store.chunk(chunk.chunk_id) or chunk, world))


def after_end(chunk: Chunk, world: World) -> tuple[BaseModel, ...]:
    """Return what follows a chunk's end, the same each time it is asked.

    A folder that Bedrock may still write into is left to the reconciler.
    """
    completed = chunk.state is ChunkState.COMPLETED
    follow: list[BaseModel] = [SettleBatch(batch_id=chunk.batch_id)]
    if completed:
        follow.append(_finished(chunk, world))
    unneeded = is_split(chunk) or (completed and world.policy.cleanup_after_success)
    if unneeded and chunk.cleaned_at is None and not is_settling(chunk, world.now):
        follow.append(CleanupChunk(chunk_id=chunk.chunk_id))
    return (*_next_chunk(chunk, world), *follow)


def _next_chunk(chunk: Chunk, world: World) -> tuple[BaseModel, ...]:
    """Return who may move now: an end makes room where no job's end did, or where there is a budget.

    What a job without proof came to counts against an unproven model until it is known, and what failed
    before until a chunk succeeds.
    """
    if world.policy.budget_usd_per_day is not None:  # one for all models
        return tuple(first for model in world.store.models() for first in next_chunk(model, world))
    unproven = not chunk.proven or chunk.job is None or chunk.job.status not in PAST_VALIDATION
    made_room = unproven or chunk.terms.budget_usd is not None
    return next_chunk(chunk.model, world) if made_room else ()


def _finished(chunk: Chunk, world: World) -> Event:
    counted: Counter[Outcome] = Counter()
    for (_, outcome), count in world.store.outcomes(chunk.chunk_id).items():
        counted[Outcome(outcome)] += count
    part = layout.part_key(chunk.batch_id, chunk.index)
    detail: ChunkFinished = {
        "version": 1,
        "batch_id": chunk.batch_id,
        "request_id": chunk.terms.request_id,
        "chunk_id": chunk.chunk_id,
        "state": "COMPLETED",
        "part_uri": layout.s3_uri(world.policy.bucket, part),
        "counts": outcomes(counted),
    }
    return Event(name=EventName.CHUNK_FINISHED, time=stamp(world), detail=detail)


def batch_of(chunk: Chunk, world: World) -> Batch:
    """Return the batch of a chunk."""
    batch = world.store.batch(chunk.batch_id)
    if batch is None:
        raise Missing(f"batch {chunk.batch_id} left the store")
    return batch


def stamp(world: World) -> str:
    """Return the time of this run as ISO-8601 in UTC with Z."""
    return in_utc(world.now)


def in_utc(when: datetime) -> str:
    """Write a time in UTC as ISO-8601 with Z."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
