"""settle_batch: the one owner of a batch's end: another round for what may succeed, or the end itself."""

from collections.abc import Iterator

from consumers.attempts import attempt, recover
from consumers.core.cutting import Item
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Batch, Held, Leased
from consumers.core.stops import bad_canary, is_good_enough
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.endings import stop_buying
from consumers.job_state.ending import end_of_batch
from consumers.job_state.report import finished_event, write_report
from consumers.resubmission import by_itself, gather, resubmit, resubmit_early
from consumers.wake import next_chunk, next_chunks
from schemas.facts import BatchEnded, CanaryReleased, Fact
from schemas.messages import SettleBatch

SETTLE = "settle"


def settle_batch(message: SettleBatch, world: World) -> Outcome:
    """Look at a batch after a chunk of it is through; only the last one finds something to do.

    A batch that is not through may be so by a round or a release this very message brought about before its
    run was cut short: the chunks are woken again.
    """
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state in BATCH_ENDS:
        return done(then=[finished_event(batch, world.store.count(batch.batch_id), world)])
    if not (_is_through(batch, world) or _may_go_on(batch, world)):
        again = batch.round or world.policy.canary_chunks
        return done(then=next_chunk(batch.model, world) if again else ())
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Done()
    return attempt(
        held, SETTLE, world, lambda: _settle(world.store.batch(message.batch_id) or batch, held, world)
    )


def _is_through(batch: Batch, world: World) -> bool:
    return batch.state is not BatchState.PLANNING and world.store.is_through(batch.batch_id)


def _may_go_on(batch: Batch, world: World) -> bool:
    """Tell whether a batch waits for a word on its canary, for the end of what it does not buy, or has
    records that may fill a chunk already.
    """
    if batch.state is BatchState.PLANNING:
        return False
    if batch.stopped:
        return True
    if batch.canary is not None:
        return not world.store.canary(batch.batch_id).open
    return not batch.cancelled and bool(world.store.waiting_chunks(batch.batch_id, 1))


def _settle(batch: Batch, held: Held, world: World) -> Outcome:
    facts: tuple[Fact, ...] = ()
    if batch.state not in BATCH_ENDS and not _is_through(batch, world):
        facts = _go_on(batch, held, world)
    if batch.state in BATCH_ENDS or not _is_through(batch, world):
        recover(held, SETTLE, batch.failures, world)
        again = (
            () if world.store.leave_batch(held, batch.changes) else (SettleBatch(batch_id=batch.batch_id),)
        )
        return done(facts, (*next_chunks(batch.model, world), *again))
    ended = _resubmit_or_end(world.store.batch(batch.batch_id) or batch, held, world)
    recover(held, SETTLE, batch.failures, world)
    return done((*facts, *ended.facts), ended.then)


def _go_on(batch: Batch, held: Held, world: World) -> tuple[Fact, ...]:
    """Judge a canary that is through; end what is not bought and nobody has ended yet; send again early."""
    if batch.stopped:
        return stop_buying(batch, batch.stopped, world)
    if batch.canary is None:
        added = None if batch.cancelled else resubmit_early(batch, held, world)
        return () if added is None else (added,)
    count = world.store.canary(batch.batch_id)
    if count.open:
        return ()
    if not is_good_enough(count, world.policy.min_success_ratio):
        return stop_buying(batch, bad_canary(batch, count, world.policy.min_success_ratio), world)
    world.store.release_canary(held)
    return (CanaryReleased(batch.batch_id, count.records, count.good),)


def _resubmit_or_end(batch: Batch, held: Held, world: World) -> Done:
    """Send again what may succeed, unless the batch buys no more; without such a record it ends."""

    def items() -> Iterator[Item]:
        return gather(batch, by_itself(batch.model, world), world)

    if batch.cancelled or batch.stopped or next(items(), None) is None:
        return _end(batch, held, world)
    added = resubmit(batch, held, items, world)
    if added is None:
        return done(then=[SettleBatch(batch_id=batch.batch_id)])
    return done([added], next_chunks(batch.model, world, batch.batch_id))


def _end(batch: Batch, held: Held, world: World) -> Done:
    """Write the results, then the state, then send the event: each speaks only of what is there.

    A chunk that changed meanwhile, by output read late, has the batch settled once more.
    """
    count = world.store.count(batch.batch_id)
    state, reason = end_of_batch(batch, count)
    write_report(batch, count, state, reason, world)
    if not world.store.finish_batch(held, batch.changes, state, reason, world.now):
        return done(then=[SettleBatch(batch_id=batch.batch_id)])
    ended = world.store.batch(batch.batch_id) or batch
    fact = BatchEnded(batch.batch_id, state, ended.revision)
    return done([fact], [finished_event(ended, count, world)])
