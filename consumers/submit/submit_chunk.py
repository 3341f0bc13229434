"""submit_chunk: bring a chunk as far as there is room now: staged, then with its job."""

from datetime import timedelta

from pydantic import BaseModel

from consumers.attempts import attempt
from consumers.core.faults import Fault, Missing, Throttled
from consumers.core.lifecycle import CHUNK_ENDS, ChunkState
from consumers.core.rows import Chunk, Held, Leased
from consumers.core.world import Done, Later, Outcome, Refuse, World, done
from consumers.endings import after_end, cancel_chunk, end_chunk, ended, fail_chunk, turned_away
from consumers.findings import find
from consumers.parts import write_part
from consumers.submit.job import create_job
from consumers.submit.staging import stage_chunk
from consumers.wake import next_chunk, results_of, room_for
from schemas.facts import Fact
from schemas.messages import SubmitChunk

WAITING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY})
STAGED_FOR_LONG = timedelta(hours=24)


def submit_chunk(message: SubmitChunk, world: World) -> Outcome:
    """Take the chunk's lease and move it on; without room its row waits and the message ends.

    A chunk that somebody is at work on already leaves the message to the next one.
    """
    chunk = world.store.chunk(message.chunk_id)
    if chunk is None:
        return Refuse("unknown_chunk", f"chunk {message.chunk_id} is not in the store")
    if chunk.state not in WAITING:
        return done(then=_follow(chunk, world))
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None:
        return done(then=next_chunk(chunk.model, world))
    chunk = reread(chunk, world)
    if chunk.state is ChunkState.READY and not _is_stale(chunk, world):
        return create_job(chunk, held, world)
    return _prepare(chunk, held, world)


def _is_stale(chunk: Chunk, world: World) -> bool:
    """Tell whether a folder was filled so long ago that it must be looked at again before it is paid for."""
    waited = world.now - chunk.ready_at if chunk.ready_at else STAGED_FOR_LONG
    return chunk.job is None and waited >= STAGED_FOR_LONG


def _prepare(chunk: Chunk, held: Held, world: World) -> Outcome:
    if chunk.state not in WAITING:
        return done(then=_follow(chunk, world))
    model = world.models.find(chunk.model)
    room = room_for(model, world.policy)
    away = turned_away(world.store.open_staging(held, room, world.now), chunk, held, world)
    if model is None:
        return _unknown(chunk, away, held, world)
    if away is not None:
        return away
    staged: list[Fact] = []

    def stage() -> Outcome:
        staged.extend(stage_chunk(chunk, held, model, world))
        return Done()

    def stage_patiently() -> Outcome:
        return attempt(held, "throttled", world, stage, of=Throttled)

    refused = attempt(
        held, "prepare", world, stage_patiently, lambda n, why: _give_up(chunk, held, n, why, world)
    )
    return refused if refused != Done() else _staged(tuple(staged), reread(chunk, world), held, world)


def _unknown(chunk: Chunk, away: Done | None, held: Held, world: World) -> Done:
    """Tell that a model left the table. Its chunks wait until it is back; one left half-way rests."""
    why = "it left the model table: add it to MODELS_FILE"
    told = find("model_unknown", chunk.model, why, world)
    if away is not None:
        return done([*away.facts, told], away.then)
    world.store.failed(held, "model", why, world.now)
    return done([told])


def _staged(facts: tuple[Fact, ...], chunk: Chunk, held: Held, world: World) -> Outcome:
    if chunk.cancelled and chunk.state is ChunkState.PREPARING:
        return ended((*facts, *cancel_chunk(chunk, held, world)), chunk, world)
    if chunk.state in CHUNK_ENDS:
        return ended(facts, chunk, world)
    if not chunk.files:
        write_part(chunk, held, world)
        moved = end_chunk(chunk, held, ChunkState.COMPLETED, "all its files were refused", world)
        return ended((*facts, *moved), chunk, world)
    world.checkpoint()
    submitted = create_job(chunk, held, world)
    if isinstance(submitted, Done):
        return done((*facts, *submitted.facts), submitted.then or next_chunk(chunk.model, world))
    return Later(submitted.after, submitted.why, facts) if isinstance(submitted, Later) else submitted


def _give_up(chunk: Chunk, held: Held, count: int, fault: Fault, world: World) -> Outcome:
    """End a chunk that cannot be prepared, with its reason."""
    reason = f"preparing failed {count} times, the last time with: {fault.message}"
    return ended(fail_chunk(chunk, held, "CHUNK_NOT_PREPARED", reason, world), chunk, world)


def _follow(chunk: Chunk, world: World) -> tuple[BaseModel, ...]:
    if chunk.state in CHUNK_ENDS:
        return after_end(chunk, world)
    return (*next_chunk(chunk.model, world), *results_of(chunk))


def reread(chunk: Chunk, world: World) -> Chunk:
    """Return the chunk as the store has it now, under our lease."""
    now = world.store.chunk(chunk.chunk_id)
    if now is None:
        raise Missing(f"chunk {chunk.chunk_id} left the store")
    return now
