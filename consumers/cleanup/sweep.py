"""sweep: clean chunks that ended long ago, whatever their outcome."""

from datetime import timedelta

from consumers.cleanup.cleanup_batch import would_go
from consumers.core.retention import may_clean
from consumers.core.world import Outcome, World, done
from schemas.messages import CleanupChunk, Sweep

CHUNKS = 100


def sweep(message: Sweep, world: World) -> Outcome:
    """Send one cleanup_chunk for each chunk that ended before the given days; a dry run only tells.

    What is left of a longer list goes on with a message of its own.
    """
    before = world.now - timedelta(days=message.older_than_days)
    ids = world.store.cleanable(before, CHUNKS, message.after or "")
    more = (message.model_copy(update={"after": ids[-1]}),) if len(ids) == CHUNKS else ()
    found = (world.store.chunk(chunk_id) for chunk_id in ids)
    chunks = [chunk for chunk in found if chunk is not None and may_clean(chunk, world.now)]
    if message.dry_run:
        return done((would_go(chunk, world) for chunk in chunks), more)
    return done(then=(*(CleanupChunk(chunk_id=chunk.chunk_id) for chunk in chunks), *more))
