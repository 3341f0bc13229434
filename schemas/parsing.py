"""From the bytes of a message body to a typed message, or to a reason a person understands."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas import messages as m
from schemas.job_events import DETAIL_TYPE, JobStateChange
from schemas.json_object import BadJson, read_object
from schemas.queues import Queue
from schemas.wording import clip, place, short

type_names: Mapping[Queue, Mapping[str, type[m.Message]]] = {
    Queue.SUBMIT: {
        "submit_batch": m.SubmitBatch,
        "plan_batch": m.PlanBatch,
        "submit_chunk": m.SubmitChunk,
        "cancel_batch": m.CancelBatch,
        "retry_batch": m.RetryBatch,
    },
    Queue.STATE: {
        "ingest_chunk": m.IngestChunk,
        "settle_batch": m.SettleBatch,
        "reparse_batch": m.ReparseBatch,
        "forget_file": m.ForgetFile,
        "adopt_job": m.AdoptJob,
        "reconcile": m.Reconcile,
    },
    Queue.CLEANUP: {
        "cleanup_chunk": m.CleanupChunk,
        "cleanup_batch": m.CleanupBatch,
        "sweep": m.Sweep,
        "cleanup_unowned": m.CleanupUnowned,
        "cleanup_legacy": m.CleanupLegacy,
        "remove_raw": m.RemoveRaw,
        "remove_results": m.RemoveResults,
        "remove_rows": m.RemoveRows,
    },
}


# What a person is told of a bad value, by the kind of pydantic's error; in braces stands its context.
_WORDS: Mapping[str, str] = {
    "string_type": "must be text: write it in quotes",
    "string_too_short": "is shorter than {min_length} characters: fill it in, or leave it out",
    "string_too_long": "is longer than {max_length} characters: shorten it",
    "string_pattern_mismatch": "does not have the form {pattern}: correct it",
    "int_type": "must be a whole number: write it without quotes or fraction",
    "int_from_float": "must be a whole number: write it without a fraction",
    "float_type": "must be a number: write it without quotes",
    "bool_type": "must be true or false: write one of them, without quotes",
    "literal_error": "must be {expected}: write it so",
    "greater_than_equal": "is below the limit of {ge}: raise it",
    "less_than_equal": "is over the limit of {le}: lower it",
    "tuple_type": "must be a list: write it in [ ]",
    "too_long": "has more than {max_length} entries: leave some out",
    "mapping_type": "must be an object: write it in {{ }}",
    "dict_type": "must be an object: write it in {{ }}",
    "model_type": "must be an object: write it in {{ }}",
}


class UnreadableMessage(ValueError):
    """A body that can never become a message; ``code`` is for machines, the text for people.

    ``request_id`` names the request it would have been, where that could be read.
    """

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        self.code = code
        self.message = clip(message)
        self.request_id = request_id
        super().__init__(self.message)


def parse(queue: Queue, body: str) -> BaseModel:
    """Read one message body of a queue; raises UnreadableMessage."""
    try:
        fields = read_object(body)
    except BadJson as error:
        raise UnreadableMessage(error.code, error.message, _request_id(queue, error.fields)) from None
    kind = _kind(queue, fields)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise UnreadableMessage("invalid_message", explain(error), _request_id(queue, fields)) from None


def _request_id(queue: Queue, fields: Mapping[str, object]) -> str | None:
    """Return whose request a body was meant to be, if it was one and its id can be told on."""
    request_id = fields.get("request_id")
    if queue is not Queue.SUBMIT or fields.get("type", "submit_batch") != "submit_batch":
        return None
    if not isinstance(request_id, str) or not request_id.isprintable():
        return None
    return request_id if 0 < len(request_id) <= m.LONGEST_NAME else None


def _kind(queue: Queue, fields: Mapping[str, object]) -> type[BaseModel]:
    if queue is Queue.STATE and fields.get("detail-type") == DETAIL_TYPE:
        return JobStateChange
    known = type_names[queue]
    name = fields.get("type", "submit_batch" if queue is Queue.SUBMIT else None)
    if not isinstance(name, str) or name not in known:
        why = f'Field "type" is {short(name)}: the {queue} queue understands {", ".join(known)}. Write one.'
        raise UnreadableMessage("unknown_type", why)
    return known[name]


def explain(error: ValidationError, limit: int = 5) -> str:
    """Say in one line what is wrong with which field, what was found there, and what to do."""
    problems = [_problem(detail) for detail in error.errors(include_url=False)[:limit]]
    more = error.error_count() - len(problems)
    return clip(" ".join(problems) + (f" And {more} more." if more > 0 else ""))


def _problem(detail: Any) -> str:
    where = place(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f'Unknown field "{where}": remove it or correct its name.'
    if detail["type"] == "missing":
        return f'Field "{where}" is missing: add it.'
    text = _text(detail)
    return f'Field "{where}" {text} (found {short(detail["input"])}).' if where else f"{text}."


def _text(detail: Any) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    known = _WORDS.get(detail["type"])
    return known.format(**context) if known else f"cannot be taken: {detail['msg']}; correct it"
