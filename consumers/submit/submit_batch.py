"""submit_batch: accept a request once, or say why it can never work."""

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from consumers.core.rows import NewBatch
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.endings import stamp
from consumers.submit.problems import Problem, lost_database, problem_of
from consumers.submit.sameness import canonical, other_content
from schemas.documents import Refused
from schemas.events import Event, EventName
from schemas.facts import BatchAccepted
from schemas.messages import PlanBatch, SubmitBatch


def submit_batch(message: SubmitBatch, world: World) -> Outcome:
    """Store the request under its request_id and have it planned."""
    model = world.models.find(message.model)
    problem = problem_of(message, world.models, world.analyses, world.policy)
    if problem is not None or model is None:
        return _refuse(message, problem or ("unknown_model", ""), world)
    request = canonical(message, model.id, message.bucket or world.policy.bucket)
    batch_id = layout.batch_id(message.request_id)
    if _is_lost(batch_id, world):
        return _refuse(message, lost_database(batch_id), world)
    batch = NewBatch(
        batch_id, message.terms(), model.id, message.bucket or world.policy.bucket, request, world.now
    )
    if world.store.accept(batch):
        facts = (BatchAccepted(batch_id, message.request_id, model.id),)
        return Done(facts, (PlanBatch(batch_id=batch_id),))
    return _again(message, batch, world)


def _is_lost(batch_id: str, world: World) -> bool:
    """Tell whether a plan exists whose batch is unknown, also after the plan was seen.

    A duplicate of the request may be accepted and planned elsewhere between two looks.
    """
    if world.store.batch(batch_id) is not None or not world.objects.exists(layout.plan_key(batch_id)):
        return False
    return world.store.batch(batch_id) is None


def _again(message: SubmitBatch, batch: NewBatch, world: World) -> Outcome:
    """Answer a request_id that is known: the same content changes nothing, other content is refused."""
    if not world.store.said_before(batch.batch_id, batch.request):
        problem = other_content(message.request_id, world.store.request_of(batch.batch_id), batch.request)
        if problem is not None:
            return _refuse(message, problem, world)
    stored = world.store.batch(batch.batch_id)
    planning = stored is not None and stored.state is BatchState.PLANNING
    return done(then=[PlanBatch(batch_id=batch.batch_id)] if planning else [])


def _refuse(message: SubmitBatch, problem: Problem, world: World) -> Refuse:
    code, why = problem
    detail: Refused = {
        "version": 1,
        "request_id": message.request_id,
        "error_code": code,
        "error_message": why,
    }
    return Refuse(code, why, (Event(name=EventName.BATCH_REFUSED, time=stamp(world), detail=detail),))
