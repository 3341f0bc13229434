"""submit_batch: accept a request once, or say why it can never work."""

import json
from collections.abc import Mapping
from typing import Any

from consumers.core import layout
from consumers.core.cost import money
from consumers.core.lifecycle import BatchState
from consumers.core.rows import NewBatch
from consumers.core.world import Done, Outcome, Policy, Refuse, World, done
from consumers.endings import stamp
from consumers.submit.asked import asked_problem
from schemas.analyses import Registry
from schemas.events import Event, EventName
from schemas.facts import BatchAccepted
from schemas.messages import PlanBatch, SubmitBatch
from schemas.models import Model, ModelTable

Problem = tuple[str, str]
"""A code and a sentence."""


def submit_batch(message: SubmitBatch, world: World) -> Outcome:
    """Store the request under its request_id and have it planned."""
    model = world.models.find(message.model)
    problem = problem_of(message, world.models, world.analyses, world.policy)
    if problem is not None or model is None:
        return _refuse(message, problem or ("unknown_model", ""), world)
    request = canonical(message, model.id, message.bucket or world.policy.bucket)
    batch_id = layout.batch_id(message.request_id)
    stored = world.store.batch(batch_id)
    if stored is None and world.objects.exists(layout.plan_key(batch_id)):
        return _refuse(message, lost_database(batch_id), world)
    batch = NewBatch(
        batch_id, message.terms(), model.id, message.bucket or world.policy.bucket, request, world.now
    )
    if world.store.accept(batch):
        facts = (BatchAccepted(batch_id, message.request_id, model.id),)
        return Done(facts, (PlanBatch(batch_id=batch_id),))
    return _again(message, batch, world)


def _again(message: SubmitBatch, batch: NewBatch, world: World) -> Outcome:
    """Answer a request_id that is known: the same content changes nothing, other content is refused."""
    problem = other_content(message.request_id, world.store.request_of(batch.batch_id), batch.request)
    if problem is not None:
        return _refuse(message, problem, world)
    stored = world.store.batch(batch.batch_id)
    planning = stored is not None and stored.state is BatchState.PLANNING
    return done(then=[PlanBatch(batch_id=batch.batch_id)] if planning else [])


def canonical(message: SubmitBatch, model: str, bucket: str) -> str:
    """Return the request as JSON that is equal for equal requests, defaults and names filled in."""
    fields = message.model_dump(mode="json", exclude={"version"})
    fields |= {"model": model, "bucket": bucket}
    if message.budget_usd is not None:
        fields["budget_usd"] = f"{message.budget_usd.normalize():f}"
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def other_content(request_id: str, old: str, new: str) -> Problem | None:
    """Say in which fields a request differs from the one that was accepted under its request_id."""
    difference = differing(old, new)
    if not difference:
        return None
    return "request_id_reused", (
        f"request_id {request_id!r} was accepted before with other content: "
        f"{difference} differ. Use a new request_id for a new request."
    )


def differing(old: str, new: str) -> str:
    """Name the fields in which two canonical requests differ, files by their ids; empty if none."""
    before, after = json.loads(old), json.loads(new)
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return ", ".join(_differing_files(before, after) if name == "files" else name for name in names)


def _differing_files(before: Mapping[str, Any], after: Mapping[str, Any], limit: int = 5) -> str:
    old, new = ({str(file["file_id"]): file for file in request["files"]} for request in (before, after))
    ids = [file_id for file_id in {**old, **new} if old.get(file_id) != new.get(file_id)]
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return f"files ({', '.join(ids[:limit])}{more})" if ids else "the order of files"


def problem_of(
    message: SubmitBatch, models: ModelTable, analyses: Registry, policy: Policy
) -> Problem | None:
    """Say why a request can never work (a code and a sentence), as far as it tells by itself."""
    return (
        _model_problem(message, models, policy)
        or _places_problem(message, policy)
        or _asked_problem(message, models, analyses)
    )


def _model_problem(message: SubmitBatch, models: ModelTable, policy: Policy) -> Problem | None:
    model = models.find(message.model)
    if model is None:
        known = ", ".join(models.names())
        return "unknown_model", f'Field "model": {message.model!r} is not in the model table. Known: {known}.'
    return _price_problem(message, model, policy)


def _price_problem(message: SubmitBatch, model: Model, policy: Policy) -> Problem | None:
    """Say which budget cannot be kept, because nobody knows what the model costs."""
    unknown = (
        f"cannot be kept: the price of {model.id} is unknown. An operator adds it to NOVABATCH_MODELS_FILE"
    )
    if model.prices:
        return None
    if message.budget_usd is not None:
        asked = f'Field "budget_usd": a budget of {money(message.budget_usd)} USD'
        return "unknown_price", f"{asked} {unknown}; or leave budget_usd out."
    if policy.budget_usd_per_day is not None:
        daily = f'Field "model": the budget of {money(policy.budget_usd_per_day)} USD a day'
        return "unknown_price", f"{daily} {unknown}, or unsets NOVABATCH_BUDGET_USD_PER_DAY."
    return None


def _places_problem(message: SubmitBatch, policy: Policy) -> Problem | None:
    buckets = [("bucket", message.bucket)]
    buckets += [(f"files[{n}].bucket", file.bucket) for n, file in enumerate(message.files)]
    if message.files_from is not None and message.files_from.list is not None:
        place = _place_of(message.files_from.list)
        if place is None:
            why = f'Field "files_from.list": {message.files_from.list!r} names no object in S3.'
            return "invalid_message", f"{why} Write s3://bucket/key.jsonl."
        buckets.append(("files_from.list", place.bucket))
    allowed = policy.allowed_buckets
    for field, bucket in buckets:
        if bucket is not None and bucket not in allowed:
            return "forbidden_bucket", (
                f'Field "{field}": bucket {bucket!r} is not allowed. Allowed: {", ".join(sorted(allowed))}. '
                "An operator adds a bucket to NOVABATCH_ALLOWED_BUCKETS."
            )
    return None


def _place_of(uri: str) -> layout.S3Place | None:
    try:
        place = layout.parse_s3_uri(uri)
    except ValueError:
        return None
    return place if place.key and not place.key.endswith("/") else None


def _asked_problem(message: SubmitBatch, models: ModelTable, analyses: Registry) -> Problem | None:
    model = models.find(message.model)
    return asked_problem(message, model, analyses) if model else None


def lost_database(batch_id: str) -> Problem:
    """Say that a batch unknown to the database was planned before."""
    return "plan_exists", (
        f"{layout.plan_key(batch_id)} exists, but the database does not know the batch: it was lost or "
        "replaced, and its jobs may be paid for. Restore the database, or use a new request_id."
    )


def _refuse(message: SubmitBatch, problem: Problem, world: World) -> Refuse:
    code, why = problem
    detail = {"version": 1, "request_id": message.request_id, "error_code": code, "error_message": why}
    return Refuse(code, why, (Event(name=EventName.BATCH_REFUSED, time=stamp(world), detail=detail),))
