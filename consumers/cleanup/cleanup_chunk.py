"""cleanup_chunk: delete the two temporary folders of a chunk whose results are stored."""

from consumers.attempts import attempt
from consumers.cleanup.emptying import empty
from consumers.core.faults import PassingFault
from consumers.core.retention import refusal_to_clean
from consumers.core.rows import Chunk, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from schemas.facts import ChunkCleaned
from schemas.messages import CleanupChunk


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
    return attempt(held, "cleanup", world, lambda: _clean(chunk, held, world))


def _clean(chunk: Chunk, held: Held, world: World) -> Outcome:
    """Empty the folders and store that they are; raises PassingFault if something stayed."""
    emptied = empty(chunk, world)
    if emptied.stayed:
        raise PassingFault(f"{len(emptied.stayed)} or more objects stayed: {'; '.join(emptied.stayed)}")
    world.store.cleaned(held, emptied.objects, emptied.bytes, world.now)
    return done([ChunkCleaned(chunk.chunk_id, emptied.objects, emptied.bytes)])
