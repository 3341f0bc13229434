"""cleanup_chunk: delete the two temporary folders of a chunk whose results are stored."""

from consumers.attempts import attempt
from consumers.cleanup.emptying import empty
from consumers.cleanup.late import came_late
from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.retention import is_settling, refusal_to_clean
from consumers.core.rows import Chunk, Deed, Held, Leased, Verb
from consumers.core.world import Done, Outcome, Refuse, World, done
from schemas.facts import ChunkCleaned
from schemas.messages import CleanupChunk, IngestChunk

LATE = "late"


def cleanup_chunk(message: CleanupChunk, world: World) -> Outcome:
    """Clean one chunk under its lease; cleaning again, or too early, does nothing."""
    chunk = world.store.chunk(message.chunk_id)
    if chunk is None:
        return Refuse("unknown_chunk", f"chunk {message.chunk_id} is not in the store")
    if (outcome := _not_now(chunk, world)) is not None:
        return outcome
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None:
        return Done()
    chunk = world.store.chunk(message.chunk_id) or chunk
    if (outcome := _not_now(chunk, world)) is not None:
        return outcome
    return attempt(held, "cleanup", world, lambda: _clean(chunk, held, world))


def _not_now(chunk: Chunk, world: World) -> Outcome | None:
    """Answer for a chunk that is clean, or must not be cleaned yet; None for the others."""
    if chunk.cleaned_at is not None or is_settling(chunk, world.now):
        return Done()
    if chunk.unread:
        return done(then=[IngestChunk(chunk_id=chunk.chunk_id)])
    why = refusal_to_clean(chunk)
    return Refuse("not_cleanable", why) if why else None


def _clean(chunk: Chunk, held: Held, world: World) -> Outcome:
    """Empty the folders and store that they are."""
    if late := came_late(chunk, world):
        return _read_first(chunk, held, late, world)
    deed = Deed(Verb.CLEAN_FOLDERS, chunk.chunk_id, chunk.batch_id, chunk.folder)
    emptied = empty(layout.temporary_prefixes(chunk.folder), deed, world)
    world.store.cleaned(held, emptied.objects, emptied.bytes, world.now)
    return done([ChunkCleaned(chunk.chunk_id, emptied.objects, emptied.bytes)])


def _read_first(chunk: Chunk, held: Held, late: int, world: World) -> Outcome:
    """Have the output read again, once: answers that were not stored then stay for a person to look at."""
    if chunk.failures.get(LATE):
        raise PassingFault(f"the output was read again, and {late} answers in it are still not stored")
    why = f"{late} answers came after the output was read"
    world.store.output_came_late(held, LATE, why, world.now)
    return done(then=[IngestChunk(chunk_id=chunk.chunk_id)])
