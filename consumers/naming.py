"""Finding the batch that a message speaks of."""

from consumers.core import layout
from consumers.core.faults import Missing
from consumers.core.rows import Batch
from consumers.core.world import Refuse, World
from schemas.messages import OfBatch


def named_batch(message: OfBatch, world: World) -> Batch | Refuse:
    """Return the batch a message speaks of, or the refusal that says it is unknown."""
    batch_id = message.batch_id or layout.batch_id(message.request_id or "")
    field, name = ("batch_id", batch_id) if message.batch_id else ("request_id", message.request_id)
    why = f'Field "{field}": batch {name!r} is not in the store. Give one that `novabatch status` lists.'
    return world.store.batch(batch_id) or Refuse("unknown_batch", why)


def stored_batch(batch_id: str, world: World) -> Batch:
    """Return a batch that was there before. Raises Missing."""
    batch = world.store.batch(batch_id)
    if batch is None:
        raise Missing(f"batch {batch_id} left the store")
    return batch


def gone_by_age(batch: Batch) -> str:
    """Say why nothing can be done with a batch whose results were removed by their age."""
    return (
        f"batch {batch.batch_id} is past RESULT_RETENTION_DAYS: what it left in S3 is gone. "
        "Send its files under a new request_id."
    )
