"""submit_chunk: bring a chunk as far as there is room now: staged, then with its job."""

from pydantic import BaseModel

from consumers.core.faults import Denied, Fault, Missing, PassingFault
from consumers.core.lifecycle import CHUNK_ENDS, ChunkState
from consumers.core.rows import Chunk, Gate, Held, Leased
from consumers.core.world import Done, Later, Outcome, Refuse, World, done
from consumers.endings import after_end, cancel_chunk, end_chunk, fail_chunk
from consumers.parts import write_part
from consumers.submit.job import create_job
from consumers.submit.staging import stage_chunk
from consumers.wake import next_chunks
from schemas.facts import Fact
from schemas.messages import SubmitChunk

WAITING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY})
PREPARATIONS = 5


def submit_chunk(message: SubmitChunk, world: World) -> Outcome:
    """Take the chunk's lease and move it on; without room its row waits and the message ends."""
    chunk = world.store.chunk(message.chunk_id)
    if chunk is None:
        return Refuse("unknown_chunk", f"chunk {message.chunk_id} is not in the store")
    if chunk.state not in WAITING:
        return done(then=_follow(chunk, world))
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None:
        return Done()
    chunk = reread(chunk, world)
    if chunk.state is ChunkState.READY:
        return create_job(chunk, held, world)
    return _prepare(chunk, held, world)


def _prepare(chunk: Chunk, held: Held, world: World) -> Outcome:
    if chunk.state not in WAITING:
        return done(then=_follow(chunk, world))
    model = world.models.find(chunk.model)
    slots = model.slots if model else 0
    gate = world.store.open_staging(held, slots, world.policy.stage_ahead, world.now)
    if gate is Gate.CANCELLED:
        return _ended(cancel_chunk(chunk, held, world), chunk, world)
    if gate is not Gate.OPEN:
        return Done()
    try:
        facts = stage_chunk(chunk, held, world)
    except (PassingFault, Denied) as fault:
        return _not_prepared(chunk, held, fault, world)
    return _staged(facts, reread(chunk, world), held, world)


def _staged(facts: tuple[Fact, ...], chunk: Chunk, held: Held, world: World) -> Outcome:
    if not chunk.files:
        write_part(chunk, world)
        ended = end_chunk(chunk, held, ChunkState.COMPLETED, "all its files were refused", world)
        return _ended((*facts, *ended), chunk, world)
    world.checkpoint()
    submitted = create_job(chunk, held, world)
    if isinstance(submitted, Done):
        return done((*facts, *submitted.facts), submitted.then)
    return Later(submitted.after, submitted.why, facts) if isinstance(submitted, Later) else submitted


def _not_prepared(chunk: Chunk, held: Held, fault: Fault, world: World) -> Outcome:
    """Count the failure on the row; after five the chunk ends with its reason."""
    count = world.store.failed(held, "prepare", fault.message, world.now)
    if count < PREPARATIONS:
        return Later(5 * 2**count, fault.message)
    reason = f"preparing failed {count} times, the last time with: {fault.message}"
    return _ended(fail_chunk(chunk, held, "CHUNK_NOT_PREPARED", reason, world), chunk, world)


def _ended(facts: tuple[Fact, ...], chunk: Chunk, world: World) -> Done:
    return done(facts, after_end(reread(chunk, world), world))


def _follow(chunk: Chunk, world: World) -> tuple[BaseModel, ...]:
    return after_end(chunk, world) if chunk.state in CHUNK_ENDS else next_chunks(chunk.model, world)


def reread(chunk: Chunk, world: World) -> Chunk:
    """Return the chunk as the store has it now, under our lease."""
    now = world.store.chunk(chunk.chunk_id)
    if now is None:
        raise Missing(f"chunk {chunk.chunk_id} left the store")
    return now
