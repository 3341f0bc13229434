"""cancel_batch: set the flag, end what has not started, stop the jobs that run."""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from consumers.auditing import audited
from consumers.core.faults import Denied, Missing, PassingFault, Rejected
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Batch, Deed, Verb
from consumers.core.world import Outcome, Refuse, World, done
from consumers.findings import find
from consumers.naming import named_batch
from consumers.wake import next_chunks
from schemas.facts import FindingMade, Ignored
from schemas.messages import CancelBatch, PlanBatch, SettleBatch


def cancel_batch(message: CancelBatch, world: World) -> Outcome:
    """Cancel a batch; what its jobs have finished is kept. Cancelling again stops what is still running.

    A job that cannot be stopped holds up no other. After a passing fault the message comes again; of any
    other a finding tells, and the reconciler asks again for as long as the job runs.
    """
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    if batch.state in BATCH_ENDS:
        return done([Ignored("batch has ended", batch.batch_id)])
    running = world.store.cancel(batch.batch_id, "cancelled on request", world.now)
    troubles = list(_stop_all(running, world))
    for trouble in troubles:
        if isinstance(trouble, PassingFault):
            raise trouble
    told = [trouble for trouble in troubles if isinstance(trouble, FindingMade)]
    return done(told, _following(batch, world))


def _following(batch: Batch, world: World) -> Iterator[BaseModel]:
    """Return what follows: a plan is ended by its own stage, everything else by the settlement."""
    yield from next_chunks(batch.model, world)
    if batch.state is BatchState.PLANNING:
        yield PlanBatch(batch_id=batch.batch_id)
    yield SettleBatch(batch_id=batch.batch_id)


def _stop_all(chunk_ids: Sequence[str], world: World) -> Iterator[PassingFault | FindingMade]:
    """Stop the jobs that Bedrock knows of, and give what stood in the way.

    One without an ARN is stopped by whoever creates or finds it.
    """
    for chunk_id in chunk_ids:
        chunk = world.store.chunk(chunk_id)
        if chunk is None or chunk.job is None or chunk.job.arn is None:
            continue
        try:
            yield from _stop(chunk.chunk_id, chunk.batch_id, chunk.job.arn, world)
        except PassingFault as fault:
            yield fault


def _stop(chunk_id: str, batch_id: str, arn: str, world: World) -> Iterator[FindingMade]:
    try:
        with audited(Deed(Verb.STOP_JOB, chunk_id, batch_id, arn), world):
            world.jobs.stop(arn)
    except Missing as fault:
        yield find("job_unknown", arn, fault.message, world)
    except (Denied, Rejected) as fault:
        yield find("job_not_stopped", arn, fault.message, world)
