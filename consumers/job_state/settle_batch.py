"""settle_batch: the one owner of a batch's end: another round for what may succeed, or the end itself."""

from consumers.attempts import attempt
from consumers.core.lifecycle import BATCH_ENDS, BatchState, end_of
from consumers.core.retry import tokens_for_retry
from consumers.core.rows import Batch, BatchCount, FailedRecord, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.job_state.report import finished_event, write_report
from consumers.resubmission import gather, resubmit
from consumers.wake import next_chunks
from schemas.facts import BatchEnded
from schemas.messages import SettleBatch


def settle_batch(message: SettleBatch, world: World) -> Outcome:
    """Look at a batch after a chunk of it is through; only the last one finds something to do.

    A batch that is not through may be so by a round this very message added before its run was cut
    short: the chunks of that round are woken again.
    """
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state in BATCH_ENDS:
        return done(then=[finished_event(batch, world.store.count(batch.batch_id), world)])
    if not _is_through(batch, world):
        return done(then=next_chunks(batch.model, world) if batch.round else ())
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Done()
    return attempt(
        held, "settle", world, lambda: _settle(world.store.batch(message.batch_id) or batch, held, world)
    )


def _is_through(batch: Batch, world: World) -> bool:
    return batch.state is not BatchState.PLANNING and world.store.is_through(batch.batch_id)


def _settle(batch: Batch, held: Held, world: World) -> Outcome:
    if batch.state in BATCH_ENDS or not _is_through(batch, world):
        return Done()
    items = [] if batch.cancelled else gather(batch, lambda record: _ask(record, batch, world), world)
    if items:
        return resubmit(batch, held, items, world)
    return _end(batch, held, world)


def _ask(record: FailedRecord, batch: Batch, world: World) -> int | None:
    """Return the tokens to ask for if the record is sent again by itself, else None."""
    model = world.models.find(batch.model)
    limit = model.max_output_tokens if model else record.max_tokens
    return tokens_for_retry(record, world.policy.max_attempts, limit)


def _end(batch: Batch, held: Held, world: World) -> Outcome:
    """Write the results, then the state, then send the event: each speaks only of what is there.

    A chunk that changed meanwhile, by output read late, has the batch settled once more.
    """
    count = world.store.count(batch.batch_id)
    state = end_of(count.records + count.refused, count.good, cancelled=batch.cancelled)
    reason = _reason(batch, count, state)
    write_report(batch, count, state, reason, world)
    if not world.store.finish_batch(held, batch.changes, state, reason, world.now):
        return done(then=[SettleBatch(batch_id=batch.batch_id)])
    ended = world.store.batch(batch.batch_id) or batch
    fact = BatchEnded(batch.batch_id, state, ended.revision)
    return done([fact], [finished_event(ended, count, world)])


def _reason(batch: Batch, count: BatchCount, state: BatchState) -> str:
    """Say in one line why a batch is not simply COMPLETED."""
    if state is BatchState.COMPLETED:
        return ""
    bad = [f"{n} {outcome}" for outcome, n in count.outcomes.items() if n and outcome != "SUCCEEDED"]
    refused = [f"{count.refused} files refused"] if count.refused else []
    planned = [str(batch.cursor["reason"])] if batch.cursor.get("reason") else []
    return "; ".join([*planned, *refused, *bad]) or "no file in the request could be analysed"
