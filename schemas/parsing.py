"""From the bytes of a message body to a typed message, or to a reason a person understands."""

import json
import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ValidationError

from schemas import messages as m
from schemas.job_events import DETAIL_TYPE, JobStateChange
from schemas.queues import Queue

DEEPEST = 50
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

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
        "reconcile": m.Reconcile,
    },
    Queue.CLEANUP: {
        "cleanup_chunk": m.CleanupChunk,
        "cleanup_batch": m.CleanupBatch,
        "sweep": m.Sweep,
    },
}


class UnreadableMessage(ValueError):
    """A body that can never become a message; ``code`` is for machines, the text for people."""

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


def parse(queue: Queue, body: str) -> BaseModel:
    """Read one message body of a queue; raises UnreadableMessage."""
    fields = _object(body)
    kind = _kind(queue, fields)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        request_id = fields.get("request_id")
        raise UnreadableMessage(
            "invalid_message", explain(error), request_id if isinstance(request_id, str) else None
        ) from None


def _object(body: str) -> dict[str, object]:
    try:
        value = json.loads(body)
        place = _unstorable(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage(
            "invalid_json", f"The body is not JSON: {error}. Send one JSON object."
        ) from None
    if not isinstance(value, dict):
        raise UnreadableMessage("invalid_json", "The body is JSON but no object. Send one JSON object.")
    if place is not None:
        raise UnreadableMessage(
            "invalid_text", f'Field "{place}" holds a null byte or half a character: remove it.'
        )
    return value


def _unstorable(value: object, place: str = "", depth: int = 0) -> str | None:
    """Find text that neither a database nor Bedrock can take: NUL, or half of a surrogate pair.

    Raises RecursionError for values nested deeper than any of ours.
    """
    if depth > DEEPEST:
        raise RecursionError(f"more than {DEEPEST} levels deep")
    if isinstance(value, str):
        return (place or "body") if _UNSTORABLE.search(value) else None
    if isinstance(value, dict):
        inside = ((f"{place}.{key}".lstrip("."), each) for key, each in value.items())
        keys = (_unstorable(key, place) for key in value)
        return next((bad for bad in keys if bad), None) or _first_unstorable(inside, depth)
    if isinstance(value, list):
        return _first_unstorable(((f"{place}[{n}]", each) for n, each in enumerate(value)), depth)
    return None


def _first_unstorable(inside: Iterable[tuple[str, object]], depth: int) -> str | None:
    found = (_unstorable(each, place, depth + 1) for place, each in inside)
    return next((bad for bad in found if bad), None)


def _kind(queue: Queue, fields: Mapping[str, object]) -> type[BaseModel]:
    if queue is Queue.STATE and fields.get("detail-type") == DETAIL_TYPE:
        return JobStateChange
    known = type_names[queue]
    name = fields.get("type", "submit_batch" if queue is Queue.SUBMIT else None)
    if not isinstance(name, str) or name not in known:
        expected = ", ".join(known)
        raise UnreadableMessage(
            "unknown_type", f'"type" is {name!r}: the {queue} queue understands {expected}.'
        )
    return known[name]


def explain(error: ValidationError, limit: int = 5) -> str:
    """Say in one line what is wrong with which field, and what was found there."""
    problems = [_problem(detail) for detail in error.errors(include_url=False)[:limit]]
    more = error.error_count() - len(problems)
    return " ".join(problems) + (f" And {more} more." if more > 0 else "")


def _problem(detail: Mapping[str, object] | object) -> str:
    assert isinstance(detail, Mapping)  # noqa: S101  (pydantic's ErrorDetails is a TypedDict)
    place = _place(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f'Unknown field "{place}": remove it or correct its name.'
    if detail["type"] == "missing":
        return f'Field "{place}" is missing: add it.'
    text = str(detail["msg"]).removeprefix("Value error, ")
    if not place:
        return f"{text}."
    return f'Field "{place}": {text} (found {_short(detail["input"])}).'


def _place(location: object) -> str:
    path = ""
    for step in location if isinstance(location, tuple) else ():
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def _short(value: object, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"
