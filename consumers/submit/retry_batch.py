"""retry_batch: send again, as a person asked, whatever an ended batch has no good result for."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from heapq import merge
from itertools import islice

from pydantic import BaseModel

from consumers.attempts import attempt, recover
from consumers.core.cutting import Item
from consumers.core.faults import Fault
from consumers.core.foreign import adopted_from, not_planned_here
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.retry import tokens_asked_again
from consumers.core.rows import RECHECKED, Batch, Held, Leased, NewFile
from consumers.core.world import Later, Outcome, Refuse, World, done
from consumers.naming import gone_by_age, named_batch, stored_batch
from consumers.resubmission import gather, model_of, never_planned, resubmit
from consumers.submit.items import item
from consumers.submit.judging import judge_again
from consumers.submit.reading import decided
from consumers.submit.reusing import reuse
from consumers.wake import next_chunks
from schemas.facts import Fact, Ignored
from schemas.messages import IngestChunk, RetryBatch, SettleBatch

RETRY = "retry"
HELD = 15.0  # seconds; nobody else would carry out a person's wish
PAGE = 1000
FINE_NOW = "it could not be analysed before and can be now: retry the batch to send it"


def retry_batch(message: RetryBatch, world: World) -> Outcome:
    """Open another round for an ended batch; permanent failures and stopped records are tried too.

    Output that is paid for and could not be read is read again, not bought. With a revision the same message
    may come as often and as late as it likes; without one it may come again while what it opened still runs.
    """
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    answered = _answered(message, batch, world)
    if answered is not None:
        return answered
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Later(HELD, f"batch {batch.batch_id} is being worked on")

    def give_up(_: int, fault: Fault) -> Refuse:
        world.store.recovered(held, RETRY)
        why = f"batch {batch.batch_id} could not be retried: {fault.message}. Mend that and retry it again."
        return Refuse("retry_failed", why)

    return attempt(held, RETRY, world, lambda: _retry(message, batch.batch_id, held, world), give_up)


def _answered(message: RetryBatch, batch: Batch, world: World) -> Outcome | None:
    """Answer a message that needs nothing done; None if the batch is to be retried."""
    if source := adopted_from(batch):
        return Refuse("adopted", not_planned_here(batch.batch_id, source))
    if batch.results_removed_at is not None:
        return Refuse("results_removed", gone_by_age(batch))
    seen = message.revision
    if _is_carried_out(seen, batch):
        return done([Ignored("retried already", batch.batch_id)], _following(batch.batch_id, world))
    if seen is not None and seen > batch.revision:
        why = f'Field "revision" is {seen}, but batch {batch.batch_id} is at {batch.revision}: give that one.'
        return Refuse("unknown_revision", why)
    if batch.state not in BATCH_ENDS:
        why = f"batch {batch.batch_id} is {batch.state}: wait for its end, or cancel it, then retry it."
        return Refuse("batch_not_ended", why)
    return None


def _is_carried_out(seen: int | None, batch: Batch) -> bool:
    """Tell whether a person's wish was fulfilled before, as far as a message tells which wish it was."""
    if seen is None:
        return batch.state not in BATCH_ENDS and 0 < batch.retried == batch.revision - 1
    return batch.retried >= seen


def _retry(message: RetryBatch, batch_id: str, held: Held, world: World) -> Outcome:
    batch = stored_batch(batch_id, world)
    answered = _answered(message, batch, world)
    if answered is not None:
        return answered
    looked = _look_again(batch, held, world)
    batch = stored_batch(batch_id, world)
    if not _is_due(batch, world):
        recover(held, RETRY, batch.failures, world)
        return _nothing(batch, world)
    added = resubmit(batch, held, partial(_items, batch, world), world)
    if added is None:
        return Later(HELD, f"a chunk of batch {batch_id} ended meanwhile", tuple(looked))
    left_out = never_planned(batch)
    warning = [Ignored(left_out, batch_id)] if left_out else []
    return done([*looked, added, *warning], _following(batch_id, world))


def _look_again(batch: Batch, held: Held, world: World) -> list[Fact]:
    """Judge the REFUSED files again, page by page; those found fine wait in the store for the round."""
    facts: list[Fact] = []
    refused = world.store.refused_files(batch.batch_id)
    while page := list(islice(refused, PAGE)):
        judged = reuse(batch, judge_again(batch, page, world), world)
        world.store.recheck(held, [_noted(file) for file in judged])
        facts += decided(batch, [file for file in judged if not file.code])
        world.checkpoint()
    return facts


def _noted(file: NewFile) -> NewFile:
    return file if file.code else replace(file, code=RECHECKED, reason=FINE_NOW)


def _is_due(batch: Batch, world: World) -> bool:
    """Tell whether a round has anything to do; what is wholly reused needs one, too, to be taken in."""
    fine = world.store.rechecked_files(batch.batch_id)
    return next(fine, None) is not None or next(_items(batch, world), None) is not None


def _items(batch: Batch, world: World) -> Iterator[Item]:
    """Stream what is to be sent: failed records, and the records of files that were REFUSED."""
    model = model_of(batch, world)
    failed = gather(batch, lambda record: tokens_asked_again(record, model.max_output_tokens), world)
    files = world.store.rechecked_files(batch.batch_id)
    fine = (item(batch, file, model, world.analyses) for file in files)
    return merge(failed, (each for each in fine if each is not None), key=lambda each: each.position)


def _nothing(batch: Batch, world: World) -> Outcome:
    left_out = never_planned(batch)
    if left_out:
        return Refuse("never_planned", f"batch {batch.batch_id} has nothing to send again. {left_out}")
    return done([Ignored("nothing to send again", batch.batch_id)], _reading(batch, world))


def _following(batch_id: str, world: World) -> list[BaseModel]:
    """Return what follows a retry, the same each time it is asked."""
    batch = stored_batch(batch_id, world)
    settle = [] if batch.state in BATCH_ENDS else [SettleBatch(batch_id=batch_id)]
    return [*next_chunks(batch.model, world), *_reading(batch, world), *settle]


def _reading(batch: Batch, world: World) -> list[BaseModel]:
    unread = world.store.unread_chunks(batch.batch_id)
    return [IngestChunk(chunk_id=chunk_id) for chunk_id in unread]
