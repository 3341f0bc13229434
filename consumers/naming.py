"""Finding the batch that a message names by batch_id or by request_id."""

from consumers.core import layout
from consumers.core.rows import Batch
from consumers.core.world import Refuse, World
from schemas.messages import OfBatch


def named_batch(message: OfBatch, world: World) -> Batch | Refuse:
    """Return the batch a message speaks of, or the refusal that says it is unknown."""
    batch_id = message.batch_id or layout.batch_id(message.request_id or "")
    batch = world.store.batch(batch_id)
    name = message.batch_id or message.request_id
    return batch or Refuse("unknown_batch", f"batch {name} is not in the store: see `novabatch status`")
