"""remove_raw: delete the model's raw lines of batches that ended long ago; their results stay."""

from datetime import timedelta

from consumers.attempts import attempt
from consumers.cleanup.emptying import empty
from consumers.core import layout
from consumers.core.rows import Deed, Held, Leased, Verb
from consumers.core.world import Done, Outcome, World, done
from schemas.facts import RawRemoved
from schemas.messages import RemoveRaw


def remove_raw(message: RemoveRaw, world: World) -> Outcome:
    """Delete the raw lines of one batch and go on with the next, until there is none."""
    before = world.now - timedelta(days=message.older_than_days)
    batch_id = world.store.raw_kept(before, message.after or "")
    if batch_id is None:
        return Done()
    more = message.model_copy(update={"after": batch_id})
    held = world.hold(Leased.BATCH, batch_id)
    if held is None or world.store.raw_kept(before, message.after or "") != batch_id:
        return done(then=[more])
    outcome = attempt(held, "raw", world, lambda: _remove(held, world))
    return done(outcome.facts, (*outcome.then, more)) if isinstance(outcome, Done) else outcome


def _remove(held: Held, world: World) -> Outcome:
    """Empty the batch's raw folder, and store that it is."""
    deed = Deed(Verb.REMOVE_RAW, held.id, held.id)
    emptied = empty([layout.raw_prefix(held.id)], deed, world)
    world.store.raw_removed(held, world.now)
    return done([RawRemoved(held.id, emptied.objects, emptied.bytes)])
