"""cleanup_batch: clean every chunk of a batch that may be cleaned."""

from consumers.cleanup.emptying import contents
from consumers.core import layout
from consumers.core.retention import may_clean
from consumers.core.rows import Batch, Chunk
from consumers.core.world import Outcome, Refuse, World, done
from consumers.naming import named_batch
from schemas.facts import ChunkCleaned
from schemas.messages import CleanupBatch, CleanupChunk


def cleanup_batch(message: CleanupBatch, world: World) -> Outcome:
    """Send one cleanup_chunk for each chunk that may go; a dry run tells what would go."""
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    chunks = cleanable(batch, world)
    if message.dry_run:
        return done(would_go(chunk, world) for chunk in chunks)
    return done(then=[CleanupChunk(chunk_id=chunk.chunk_id) for chunk in chunks])


def cleanable(batch: Batch, world: World) -> list[Chunk]:
    """Return the batch's chunks whose folders may go and have not gone yet."""
    found = (world.store.chunk(chunk_id) for chunk_id, _ in world.store.chunk_ids(batch.batch_id))
    return [each for each in found if each and each.cleaned_at is None and may_clean(each, world.now)]


def would_go(chunk: Chunk, world: World) -> ChunkCleaned:
    """Count what cleaning a chunk would delete."""
    world.checkpoint()
    sizes = [each.bytes for each in contents(layout.temporary_prefixes(chunk.folder), world)]
    return ChunkCleaned(chunk.chunk_id, len(sizes), sum(sizes), dry_run=True)
