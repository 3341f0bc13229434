"""retry_batch: send again, as a person asked, whatever an ended batch has no good result for."""

from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import FailedRecord, Leased
from consumers.core.world import Later, Outcome, Refuse, World, done
from consumers.naming import named_batch
from consumers.resubmission import gather, resubmit
from schemas.facts import Ignored
from schemas.messages import RetryBatch
from schemas.outcomes import Outcome as RecordOutcome

HELD = 15.0  # seconds; nobody else would carry out a person's wish


def retry_batch(message: RetryBatch, world: World) -> Outcome:
    """Open another round for an ended batch; permanent failures and stopped records are tried too."""
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    if batch.state not in BATCH_ENDS:
        return Refuse(
            "batch_not_ended", f"batch {batch.batch_id} is {batch.state}: retry it when it has ended"
        )
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Later(HELD, f"batch {batch.batch_id} is being worked on")
    items = gather(batch, _asked_again, world)
    if not items:
        return done([Ignored("nothing to retry", batch.batch_id)])
    return resubmit(batch, held, items, world)


def _asked_again(record: FailedRecord) -> int | None:
    """Return the tokens to ask for; what is kept, or paid for and only not read, is not bought again."""
    kept = record.outcome is RecordOutcome.TRUNCATED and record.repaired
    return None if kept or record.error_code == "RESULT_FETCH_FAILED" else record.max_tokens
