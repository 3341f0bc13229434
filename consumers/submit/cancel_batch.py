"""cancel_batch: set the flag, end what has not started, stop the jobs that run."""

from consumers.core.faults import Missing
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import Batch
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.naming import named_batch
from consumers.wake import next_chunks
from schemas.facts import Ignored
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
    for chunk_id in world.store.cancel(batch.batch_id, "cancelled on request", world.now):
        chunk = world.store.chunk(chunk_id)
        if chunk is not None and chunk.job is not None and chunk.job.arn is not None:
            _stop(chunk.job.arn, world)
    return done(then=[*next_chunks(batch.model, world), SettleBatch(batch_id=batch.batch_id)])


def _stop(arn: str, world: World) -> None:
    try:
        world.jobs.stop(arn)
    except Missing as fault:
        world.store.find("job_unknown", arn, fault.message, world.now)
