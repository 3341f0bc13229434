"""Another round for a batch: the records that failed, in new chunks, and only they."""

from collections.abc import Callable
from itertools import groupby

from consumers.core.chunks import split
from consumers.core.cutting import Cutter, Item, limits
from consumers.core.faults import Rejected
from consumers.core.rows import Batch, FailedRecord, Held, NewRecord
from consumers.core.world import Done, World, done
from consumers.planning import put_plan
from consumers.wake import next_chunks
from schemas.facts import RoundAdded

TokensToAsk = Callable[[FailedRecord], int | None]


def gather(batch: Batch, ask: TokensToAsk, world: World) -> list[Item]:
    """Return the files with the records to send again; ``ask`` gives the tokens, or None to leave one out."""
    items = []
    failed = world.store.failed_records(batch.batch_id)
    for position, records in groupby(failed, key=lambda record: record.position):
        mine = list(records)
        again = tuple(
            NewRecord(position, record.analysis_type, record.attempts + 1, tokens)
            for record in mine
            if (tokens := ask(record)) is not None
        )
        if again:
            first = mine[0]
            items.append(Item(position, first.file_id, first.s3_key, first.size_bytes, again, first.tokens))
    return items


def resubmit(batch: Batch, held: Held, items: list[Item], world: World) -> Done:
    """Add the next round in one transaction, after its plan stands in S3, and wake its chunks."""
    model = world.models.find(batch.model)
    if model is None:
        raise Rejected(f"model {batch.model} left the model table: add it to MODELS_FILE", "unknown_model")
    bounds = limits(world.policy, model)
    cuts = split([item.piece() for item in items], bounds)
    first = len(world.store.chunk_ids(batch.batch_id))
    round_ = batch.round + 1
    cutter = Cutter(batch, model, world.analyses, world.now.date())
    new = cutter.chunks(items, cuts, first, round_, since=world.now)
    world.checkpoint()
    put_plan(batch, round_, new, world)
    if not world.store.add_round(held, round_, new):
        return Done()
    records = sum(len(item.records) for item in items)
    added = RoundAdded(batch.batch_id, round_, len(new), records)
    return done([added], next_chunks(batch.model, world))
