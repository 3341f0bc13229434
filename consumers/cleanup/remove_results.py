"""remove_results: delete all that batches which ended long ago left in S3, if a time is set for that."""

from datetime import timedelta
from functools import partial

from consumers.attempts import attempt
from consumers.cleanup.emptying import Emptied, empty, empty_all
from consumers.core import layout
from consumers.core.rows import Deed, Held, Leased, Verb
from consumers.core.world import Done, Outcome, World, done
from schemas.facts import ResultsRemoved
from schemas.messages import RemoveResults


def remove_results(message: RemoveResults, world: World) -> Outcome:
    """Delete what one batch left and go on with the next, until there is none."""
    next_one = partial(world.store.results_kept, world.now - timedelta(days=message.older_than_days))
    batch_id = next_one(message.after or "")
    if batch_id is None:
        return Done()
    more = message.model_copy(update={"after": batch_id})
    held = world.hold(Leased.BATCH, batch_id)
    if held is None or next_one(message.after or "") != batch_id:
        return done(then=[more])
    outcome = attempt(held, "results", world, lambda: _remove(held, world))
    return done(outcome.facts, (*outcome.then, more)) if isinstance(outcome, Done) else outcome


def _remove(held: Held, world: World) -> Outcome:
    """Empty the batch's place, plans first: no plan may stand there without the results of what it bought."""
    place, deed = layout.results_prefix(held.id), Deed(Verb.REMOVE_RESULTS, held.id, held.id)
    plans = empty_all(lambda: world.objects.versions(layout.plans_prefix(held.id)), deed, world)
    rest = empty([place], deed, world)
    world.store.results_removed(held, world.now)
    gone = Emptied(plans.objects + rest.objects, plans.bytes + rest.bytes)
    return done([ResultsRemoved(held.id, gone.objects, gone.bytes)])
