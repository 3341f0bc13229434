"""The ends of a chunk, shared by the stages that can bring one about."""

from pydantic import BaseModel

from consumers.core import layout
from consumers.core.lifecycle import ChunkState
from consumers.core.retention import is_split
from consumers.core.rows import Chunk, Held
from consumers.core.world import Done, World
from consumers.wake import next_chunks
from schemas.events import Event, EventName
from schemas.facts import ChunkMoved, Fact, ModelPaused
from schemas.messages import CleanupChunk, SettleBatch
from schemas.outcomes import Outcome

FAILURES_BEFORE_PAUSE = 3


def end_chunk(chunk: Chunk, held: Held, state: ChunkState, reason: str, world: World) -> tuple[Fact, ...]:
    """Move a chunk to an end; after three whole-chunk failures in a row its model pauses itself."""
    world.store.end_chunk(held, state, reason, world.now)
    ended_at = chunk.job.ended_at if chunk.job else None
    waited = (world.now - ended_at).total_seconds() if ended_at else None
    moved = ChunkMoved(chunk.chunk_id, chunk.model, state, waited, reason)
    if state is not ChunkState.FAILED or world.store.streak(chunk.model) < FAILURES_BEFORE_PAUSE:
        return (moved,)
    why = f"{FAILURES_BEFORE_PAUSE} chunks in a row failed as a whole, the last one with: {reason}"
    world.store.pause(chunk.model, why, world.now)
    return (moved, ModelPaused(chunk.model, why))


def fail_chunk(chunk: Chunk, held: Held, code: str, reason: str, world: World) -> tuple[Fact, ...]:
    """Give every record of a chunk without output the outcome MISSING with ``code``, then fail the chunk."""
    world.store.close_records(held, Outcome.MISSING, code, reason, world.now)
    return end_chunk(chunk, held, ChunkState.FAILED, reason, world)


def cancel_chunk(chunk: Chunk, held: Held, world: World) -> tuple[Fact, ...]:
    """End a chunk of a cancelled batch that has no job."""
    world.store.close_records(held, Outcome.CANCELLED, "CANCELLED", "The batch was cancelled.", world.now)
    return end_chunk(chunk, held, ChunkState.CANCELLED, "the batch was cancelled", world)


def ended(facts: tuple[Fact, ...], chunk: Chunk, world: World) -> Done:
    """Answer for a stage that has brought a chunk to its end: the facts, and what follows from the row."""
    return Done(facts, after_end(world.store.chunk(chunk.chunk_id) or chunk, world))


def after_end(chunk: Chunk, world: World) -> tuple[BaseModel, ...]:
    """Return what follows a chunk's end, the same each time it is asked."""
    follow: list[BaseModel] = [SettleBatch(batch_id=chunk.batch_id)]
    if chunk.state is ChunkState.COMPLETED:
        follow.append(_finished(chunk, world))
        if world.policy.cleanup_after_success and chunk.cleaned_at is None:
            follow.append(CleanupChunk(chunk_id=chunk.chunk_id))
    if is_split(chunk) and chunk.cleaned_at is None:
        follow.append(CleanupChunk(chunk_id=chunk.chunk_id))
    return (*next_chunks(chunk.model, world), *follow)


def _finished(chunk: Chunk, world: World) -> Event:
    outcomes: dict[str, int] = dict.fromkeys(Outcome, 0)
    for (_, outcome), count in world.store.outcomes(chunk.chunk_id).items():
        outcomes[outcome] += count
    part = layout.part_key(chunk.batch_id, chunk.index)
    detail = {
        "version": 1,
        "batch_id": chunk.batch_id,
        "request_id": chunk.terms.request_id,
        "chunk_id": chunk.chunk_id,
        "state": chunk.state.value,
        "part_uri": layout.s3_uri(world.policy.bucket, part),
        "counts": outcomes,
    }
    return Event(name=EventName.CHUNK_FINISHED, time=stamp(world), detail=detail)


def stamp(world: World) -> str:
    """Return the time of this run as ISO-8601 in UTC with Z."""
    return world.now.strftime("%Y-%m-%dT%H:%M:%SZ")
