"""plan_batch: read the files of a batch, judge them, cut them into chunks; in steps that survive a crash."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice

from consumers.attempts import attempt
from consumers.core.faults import Missing
from consumers.core.foreign import ADOPTING, adopted_from
from consumers.core.lifecycle import BatchState
from consumers.core.restored import RESTORING
from consumers.core.rows import Batch, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.submit.cutting import cut_files
from consumers.submit.finishing import after_plan, finish_plan
from consumers.submit.reading import read_files
from schemas.facts import Fact, Ignored
from schemas.messages import AdoptJob, PlanBatch

STEPS_A_MESSAGE = 100
PHASES: Mapping[str, Callable[[Batch, Held, World], Iterator[list[Fact]]]] = {
    "read": read_files,
    "cut": cut_files,
}
"""The parts of a plan in order, as its cursor names them; behind them comes ``finish``."""


def plan_batch(message: PlanBatch, world: World) -> Outcome:
    """Continue a plan by some steps; the last one opens the way for the first chunks."""
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state is not BatchState.PLANNING:
        return done(then=after_plan(batch, world))
    if batch.cursor.get("phase") == RESTORING:
        return done([Ignored("it is being restored by `novabatch reconcile --rebuild`", batch.batch_id)])
    if batch.cursor.get("phase") == ADOPTING:
        return done(then=[AdoptJob(source=adopted_from(batch), model=batch.cursor.get("model"))])
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Done()
    return attempt(held, "plan", world, lambda: _steps(message, held, world))


def _steps(message: PlanBatch, held: Held, world: World) -> Outcome:
    facts: list[Fact] = []
    with closing(_plan(message.batch_id, held, world)) as steps:
        for told in islice(steps, STEPS_A_MESSAGE):
            facts += told
            world.checkpoint()
    batch = _batch(message.batch_id, world)
    planning = batch.state is BatchState.PLANNING
    return done(facts, [message] if planning else after_plan(batch, world))


def _plan(batch_id: str, held: Held, world: World) -> Generator[list[Fact], None, None]:
    """Go on with a plan from where it stands until it is complete; what it yields of is stored."""
    batch = _batch(batch_id, world)
    for phase, work in PHASES.items():
        steps = work(batch, held, world) if _phase(batch) == phase else iter(())
        for told in steps:
            yield told
            batch = _batch(batch_id, world)
            if batch.cancelled:
                break
    if batch.state is BatchState.PLANNING:
        yield finish_plan(batch, held, world)


def _batch(batch_id: str, world: World) -> Batch:
    batch = world.store.batch(batch_id)
    if batch is None:
        raise Missing(f"batch {batch_id} left the store")
    return batch


def _phase(batch: Batch) -> str:
    return "finish" if batch.cancelled else str(batch.cursor.get("phase", "read"))
