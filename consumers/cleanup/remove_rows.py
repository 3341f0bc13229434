"""remove_rows: delete the rows of batches that ended long ago, if a time is set for that; sums stay."""

from datetime import timedelta
from functools import partial

from consumers.attempts import attempt
from consumers.core.rows import Held, Leased
from consumers.core.world import Done, Outcome, World, done
from schemas.facts import RowsRemoved
from schemas.messages import RemoveRows


def remove_rows(message: RemoveRows, world: World) -> Outcome:
    """Delete the rows of one batch and go on with the next, until there is none."""
    next_one = partial(world.store.rows_kept, world.now - timedelta(days=message.older_than_days))
    batch_id = next_one(message.after or "")
    if batch_id is None:
        return Done()
    more = message.model_copy(update={"after": batch_id})
    held = world.hold(Leased.BATCH, batch_id)
    if held is None or next_one(message.after or "") != batch_id:
        return done(then=[more])
    outcome = attempt(held, "rows", world, lambda: _remove(held, world))
    return done(outcome.facts, (*outcome.then, more)) if isinstance(outcome, Done) else outcome


def _remove(held: Held, world: World) -> Outcome:
    """Keep what the batch came to, then delete page by page, then note that it is done."""
    world.store.sum_up(held)
    files = 0
    while removed := world.store.remove_rows(held):
        files += removed
        world.checkpoint()
    world.store.rows_removed(held, world.now)
    return done([RowsRemoved(held.id, files)])
