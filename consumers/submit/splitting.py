"""Splitting a chunk whose files turned out larger than planned: its records go into new chunks."""

from collections.abc import Sequence
from decimal import Decimal

from consumers.core.chunks import split
from consumers.core.cutting import Cutter, Item, limits
from consumers.core.faults import PassingFault
from consumers.core.forecast import file_tokens
from consumers.core.lifecycle import ChunkState
from consumers.core.retention import SPLIT
from consumers.core.rows import Batch, Chunk, ChunkFile, NewChunk, NewRecord
from consumers.core.world import World
from consumers.endings import batch_of
from consumers.planning import put_split_plan
from consumers.submit.verdicts import Staging, media_for
from schemas.facts import ChunkMoved, Fact
from schemas.models import Model

TRIES = 10


def is_too_large(files: Sequence[ChunkFile], model: Model, world: World) -> bool:
    """Tell whether files hold more bytes than a chunk may."""
    return _bytes(files) > limits(world.policy, model).max_bytes


def split_chunk(files: Sequence[ChunkFile], model: Model, staging: Staging) -> tuple[Fact, ...]:
    """Put the files into new chunks and end the old one; its folder is to be cleaned.

    The plan of the new chunks is put to S3 before they are stored, and again if others took their numbers
    meanwhile. Raises Cancelled, and PassingFault when others were faster each time.
    """
    chunk, world = staging.chunk, staging.world
    batch = batch_of(chunk, world)
    for _ in range(TRIES):
        new = _cut(files, batch, chunk, model, world)
        put_split_plan(batch, chunk.index, chunk.round, new, world)
        world.checkpoint()
        reason = _reason(files, new, model, world)
        if world.store.split(staging.held, new, reason, world.now):
            return (ChunkMoved(chunk.chunk_id, chunk.model, ChunkState.CANCELLED, None, reason),)
        staging.lookout.look()
    raise PassingFault(f"chunk {chunk.chunk_id} was not split: others took the numbers of its new chunks")


def estimate(
    files: Sequence[ChunkFile], padding: int, chunk: Chunk, model: Model, world: World
) -> Decimal | None:
    """Return the most a chunk may cost by its files as they are now; None where the price is unknown."""
    cutter = Cutter(batch_of(chunk, world), model, world.analyses, world.now.date())
    return cutter.estimate([_item(file) for file in files], padding)


def _cut(
    files: Sequence[ChunkFile], batch: Batch, chunk: Chunk, model: Model, world: World
) -> list[NewChunk]:
    items = [_item(file) for file in files]
    cuts = split([item.piece() for item in items], limits(world.policy, model))
    cutter = Cutter(batch, model, world.analyses, world.now.date())
    first = world.store.next_index(batch.batch_id)
    return cutter.chunks(items, cuts, first, chunk.round, since=chunk.created_at)


def _item(file: ChunkFile) -> Item:
    """Return what is to be bought of a file, foreseen by the size it has now."""
    tokens, _ = file_tokens(media_for(file).kind, file.context, file.size_bytes)
    records = tuple(
        NewRecord(file.position, each.analysis_type, each.attempt, each.max_tokens) for each in file.records
    )
    return Item(file.position, file.file_id, file.s3_key, file.size_bytes, records, tokens)


def _bytes(files: Sequence[ChunkFile]) -> int:
    return sum(file.size_bytes for file in files)


def _reason(files: Sequence[ChunkFile], new: Sequence[NewChunk], model: Model, world: World) -> str:
    most = limits(world.policy, model).max_bytes
    where = f"they went into the chunks {new[0].chunk_id} to {new[-1].chunk_id}"
    return f"{SPLIT}: its {len(files)} files hold {_bytes(files)} bytes, a chunk may hold {most}; {where}"
