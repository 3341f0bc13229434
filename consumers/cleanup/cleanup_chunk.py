"""cleanup_chunk: delete the two temporary folders of a chunk whose results are stored."""

from consumers.cleanup.emptying import Emptied, empty
from consumers.core.retention import refusal_to_clean
from consumers.core.rows import Chunk, Held, Leased
from consumers.core.world import Done, Later, Outcome, Refuse, World, done
from schemas.facts import ChunkCleaned, FindingMade
from schemas.messages import CleanupChunk

CLEANINGS = 5


def cleanup_chunk(message: CleanupChunk, world: World) -> Outcome:
    """Clean one chunk under its lease; cleaning again does nothing."""
    chunk = world.store.chunk(message.chunk_id)
    if chunk is None:
        return Refuse("unknown_chunk", f"chunk {message.chunk_id} is not in the store")
    if chunk.cleaned_at is not None:
        return Done()
    if why := refusal_to_clean(chunk):
        return Refuse("not_cleanable", why)
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None:
        return Done()
    emptied = empty(chunk, world)
    if emptied.stayed:
        return _not_empty(chunk, held, emptied, world)
    world.store.cleaned(held, emptied.objects, emptied.bytes, world.now)
    return done([ChunkCleaned(chunk.chunk_id, emptied.objects, emptied.bytes)])


def _not_empty(chunk: Chunk, held: Held, emptied: Emptied, world: World) -> Outcome:
    """Try again a few times, then leave a finding for a person."""
    why = f"{len(emptied.stayed)} or more objects stayed: {'; '.join(emptied.stayed)}"
    count = world.store.failed(held, "clean", why, world.now)
    if count < CLEANINGS:
        return Later(10 * 2**count, why)
    world.store.find("cleanup_failing", chunk.chunk_id, why, world.now)
    return done([FindingMade("cleanup_failing", chunk.chunk_id, why)])
