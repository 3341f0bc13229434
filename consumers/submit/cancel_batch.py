"""cancel_batch: set the flag, end what has not started, stop the jobs that run."""

from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import Batch
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.naming import named_batch
from schemas.facts import Fact, Ignored
from schemas.messages import CancelBatch, SettleBatch


def cancel_batch(message: CancelBatch, world: World) -> Outcome:
    """Cancel a batch; what its jobs have finished is kept. Cancelling again stops what is still running."""
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    if batch.state in BATCH_ENDS:
        return done([Ignored("batch has ended", batch.batch_id)])
    return _cancel(batch, world)


def _cancel(batch: Batch, world: World) -> Done:
    facts: list[Fact] = []
    for chunk_id in world.store.cancel(batch.batch_id, "cancelled on request", world.now):
        chunk = world.store.chunk(chunk_id)
        if chunk is not None and chunk.job is not None and chunk.job.arn is not None:
            world.jobs.stop(chunk.job.arn)
    return done(facts, [SettleBatch(batch_id=batch.batch_id)])
