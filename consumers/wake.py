"""Who may move now: the messages sent by whoever frees the way."""

from consumers.core.world import World
from schemas.messages import SubmitChunk


def next_chunks(model_id: str, world: World) -> tuple[SubmitChunk, ...]:
    """Return one message for each waiting chunk that a free slot or stage place could take now."""
    model = world.models.find(model_id)
    if model is None:
        return ()
    ids = world.store.next_up(model.id, model.slots, world.policy.stage_ahead, world.now)
    return tuple(SubmitChunk(chunk_id=chunk_id) for chunk_id in ids)
