"""Who may move now: the messages sent by whoever frees the way."""

from consumers.core.gate import Room
from consumers.core.world import Policy, World
from schemas.messages import SubmitChunk
from schemas.models import Model


def room_for(model: Model | None, policy: Policy) -> Room:
    """Return what a model may have; one that left the model table gets no slot."""
    return Room(model.slots if model else 0, policy.stage_ahead, policy.budget_usd_per_day)


def next_chunks(model_id: str, world: World) -> tuple[SubmitChunk, ...]:
    """Return one message for each waiting chunk that a free slot or stage place could take now."""
    model = world.models.find(model_id)
    if model is None:
        return ()
    ids = world.store.next_up(model.id, room_for(model, world.policy), world.now)
    return tuple(SubmitChunk(chunk_id=chunk_id) for chunk_id in ids)
