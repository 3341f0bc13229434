"""Who may move now: the messages sent by whoever frees the way."""

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Chunk
from consumers.core.world import Policy, World
from schemas.messages import IngestChunk, SubmitChunk
from schemas.models import Model


def room_for(model: Model | None, policy: Policy) -> Room:
    """Return what a model may have; one that left the model table gets neither slot nor stage place."""
    if model is None:
        return Room(0, 0, policy.budget_usd_per_day)
    return Room(model.slots, policy.stage_ahead, policy.budget_usd_per_day)


def next_chunks(model_id: str, world: World, batch_id: str = "") -> tuple[SubmitChunk, ...]:
    """Return one message for each waiting chunk that could move now, or for those of one batch.

    For what opens the way to many: a plan, a resumption. Others were sent for by whoever made their room.
    """
    found = _next_up(model_id, world)
    mine = [each for each in found if batch_id in {"", layout.parse_chunk_id(each.chunk_id).batch_id}]
    return tuple(mine)


def next_chunk(model_id: str, world: World) -> tuple[SubmitChunk, ...]:
    """Return a message for the first chunk that could move now, if there is one.

    For work that made no room, or no more than one place: each message handled sends at most one, so there
    are never more of them than there was room for.
    """
    return _next_up(model_id, world)[:1]


def results_of(chunk: Chunk) -> tuple[IngestChunk, ...]:
    """Return the message for the results of a job that has ended.

    Also for who had the chunk in hand when the job ended: whoever came for the results then found it held.
    """
    return (IngestChunk(chunk_id=chunk.chunk_id),) if chunk.state is ChunkState.ENDED else ()


def after_job(chunk: Chunk, world: World) -> tuple[SubmitChunk, ...]:
    """Return messages for what a job's end made room for: a chunk for its slot, one for a stage place."""
    return _next_up(chunk.model, world, chunk.chunk_id)


def _next_up(model_id: str, world: World, ended: str | None = None) -> tuple[SubmitChunk, ...]:
    model = world.models.find(model_id)
    if model is None:
        return ()
    ids = world.store.next_up(model.id, room_for(model, world.policy), world.now, ended)
    return tuple(SubmitChunk(chunk_id=chunk_id) for chunk_id in ids)
