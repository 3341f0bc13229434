"""Why a request can never work: each answer is a code and a sentence for people."""

from consumers.core import layout
from consumers.core.cost import money
from consumers.core.world import Policy
from consumers.submit.asked import asked_problem
from schemas.analyses import Registry
from schemas.messages import FilesFrom, SubmitBatch
from schemas.models import Model, ModelTable
from schemas.wording import clip, short

Problem = tuple[str, str]
"""A code and a sentence."""


def problem_of(
    message: SubmitBatch, models: ModelTable, analyses: Registry, policy: Policy
) -> Problem | None:
    """Say why a request can never work (a code and a sentence), as far as it tells by itself."""
    problem = (
        _model_problem(message, models, policy)
        or _places_problem(message, policy)
        or _asked_problem(message, models, analyses)
    )
    return (problem[0], clip(problem[1])) if problem else None


def _model_problem(message: SubmitBatch, models: ModelTable, policy: Policy) -> Problem | None:
    model = models.find(message.model)
    if model is None:
        known = ", ".join(models.names())
        found = short(message.model)
        why = f'Field "model": {found} is not in the model table. Use one of these: {known}.'
        return "unknown_model", why
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
    source = message.files_from or FilesFrom.model_construct()
    if source.prefix is not None and layout.is_ours(source.prefix):
        return "own_folder", (
            f'Field "files_from.prefix": {short(source.prefix)} lies where novabatch writes. '
            "Name a folder of originals."
        )
    if source.list is not None:
        there = _place_of(source.list)
        if there is None:
            found = f'Field "files_from.list": {short(source.list)} names no object in S3.'
            return "invalid_message", f"{found} Write it as s3://bucket/key.jsonl."
        buckets.append(("files_from.list", there.bucket))
    return next((_forbidden(*each, policy) for each in buckets if _is_forbidden(each[1], policy)), None)


def _is_forbidden(bucket: str | None, policy: Policy) -> bool:
    return bucket is not None and bucket not in policy.allowed_buckets


def _forbidden(field: str, bucket: str | None, policy: Policy) -> Problem:
    return "forbidden_bucket", (
        f'Field "{field}": bucket {short(bucket)} is not allowed. Use another, or have an operator add it to '
        f"NOVABATCH_ALLOWED_BUCKETS. Allowed: {', '.join(sorted(policy.allowed_buckets))}."
    )


def _place_of(uri: str) -> layout.S3Place | None:
    try:
        there = layout.parse_s3_uri(uri)
    except ValueError:
        return None
    return there if there.key and not there.key.endswith("/") else None


def _asked_problem(message: SubmitBatch, models: ModelTable, analyses: Registry) -> Problem | None:
    model = models.find(message.model)
    return asked_problem(message, model, analyses) if model else None


def lost_database(batch_id: str) -> Problem:
    """Say that a batch unknown to the database was planned before."""
    return "plan_exists", (
        f'Field "request_id": {layout.plan_key(batch_id)} exists, but the database does not know its batch: '
        "it was lost, and its jobs may be paid for. An operator runs `novabatch reconcile --rebuild`, then "
        "the batch goes on; or use a new request_id."
    )
