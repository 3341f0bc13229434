"""The whole way back: every batch that S3 knows, its rows first, then what follows from all of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from consumers.core import layout
from consumers.core.faults import Fault, LeaseLost, PassingFault, Rejected
from consumers.core.lifecycle import BatchState
from consumers.core.plan_reading import PlanHead
from consumers.core.restored import RESTORING, Standing
from consumers.core.rows import Held, Leased
from consumers.core.world import World
from consumers.rebuild.ending import end_restoring, link_reused
from consumers.rebuild.kept import Kept, kept_batches, open_plan
from consumers.rebuild.parts import restore_parts
from consumers.rebuild.plans import Jobs, Plans
from consumers.rebuild.standing import standing_of

LOOK_BACK = timedelta(hours=1)
NO_PLAN = "results are stored, but no plan: what was taken in by `novabatch adopt` is taken in again by it"

Desk = Callable[[], AbstractContextManager[World]]
"""Gives a world to work in; leases taken in it end with the block."""


@dataclass
class Rebuilt:
    """What came of it: what was read, batches by their state, and what could not be restored, by batch."""

    chunks: int = 0
    jobs_open: int = 0
    jobs_ended: int = 0
    parts: int = 0
    batches: dict[BatchState, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """A batch with the beginning of its first plan."""

    kept: Kept
    head: PlanHead


@dataclass(frozen=True, slots=True)
class _Restored:
    """A batch whose rows are there, and where it stood; ``reuses``: results of others may count in it."""

    kept: Kept
    standing: Standing
    reuses: bool


def rebuild(desk: Desk) -> Rebuilt:
    """Fill the store with every batch that S3 knows; done again it adds what is missing.

    A batch that cannot be restored costs no other one. Raises PassingFault and LeaseLost: the whole is to be
    done again then.
    """
    told = Rebuilt()
    with desk() as world:
        found = sorted(_beginnings(told, world), key=lambda each: each.head.batch.created_at)
        jobs = _jobs_since(found, world)
    restored: list[_Restored] = []
    for each in found:
        with desk() as world, _problem_noted(each.kept.batch_id, told):
            restored.append(_restore(each, jobs, told, world))
    for done in restored:
        with desk() as world, _problem_noted(done.kept.batch_id, told):
            _end(done, told, world)
    return told


def _beginnings(told: Rebuilt, world: World) -> Iterator[_Found]:
    """Read how the plan of each batch begins."""
    for kept in kept_batches(world):
        with _problem_noted(kept.batch_id, told):
            if not kept.has("plan"):
                raise Rejected(NO_PLAN, "no_plan")
            head, _ = open_plan(layout.plan_key(kept.batch_id), world)
            yield _Found(kept, head)


def _jobs_since(found: list[_Found], world: World) -> Jobs:
    """List the jobs that may be of these batches, by the folder each reads."""
    if not found:
        return {}
    since = found[0].head.batch.created_at - LOOK_BACK
    return {report.input_uri: report for report in world.jobs.since(since)}


def _restore(found: _Found, jobs: Jobs, told: Rebuilt, world: World) -> _Restored:
    """Put a batch into the store, as far as its own plans and parts tell."""
    batch = found.head.batch
    world.store.accept(replace(batch, cursor={"phase": RESTORING}))
    held = _held(batch.batch_id, world)
    world.store.begin_restoring(held)
    plans = Plans(found.kept, held, jobs, world)
    plans.read()
    told.chunks += plans.chunks
    told.jobs_open += plans.jobs_open
    told.jobs_ended += plans.jobs_ended
    told.parts += restore_parts(found.kept, held, world)
    return _Restored(found.kept, standing_of(found.kept, plans, world), plans.reuses)


def _end(done: _Restored, told: Rebuilt, world: World) -> None:
    held = _held(done.kept.batch_id, world)
    if done.reuses and done.standing.end is None:
        lost = link_reused(done.kept, held, world)
        if lost:
            told.problems[held.id] = f"{lost} results that it was to reuse are gone"
    state = end_restoring(done.kept, held, done.standing, world)
    told.batches[state] = told.batches.get(state, 0) + 1


def _held(batch_id: str, world: World) -> Held:
    held = world.hold(Leased.BATCH, batch_id)
    if held is None:
        raise Rejected("somebody works on it just now: do it again", "held")
    return held


@contextmanager
def _problem_noted(batch_id: str, told: Rebuilt) -> Iterator[None]:
    """Note why a batch cannot be restored; what may pass ends the whole."""
    try:
        yield
    except (PassingFault, LeaseLost):
        raise
    except Fault as fault:
        told.problems[batch_id] = fault.message
