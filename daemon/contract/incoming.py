"""The messages that our queues take: their schemas, and the rules that no schema can express."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from daemon.contract.json_schema import Schema, schema_of
from schemas.job_events import JobStateChange
from schemas.json_object import DEEPEST, LONGEST_NUMBER
from schemas.parsing import type_names
from schemas.queues import Queue

EVENT = "job_state_change"
OURS = frozenset(
    {
        "plan_batch",
        "submit_chunk",
        "ingest_chunk",
        "settle_batch",
        "reconcile",
        "cleanup_chunk",
        "remove_raw",
        "remove_results",
        "remove_rows",
    }
)
"""Messages that novabatch sends to itself; nobody else needs to."""

RULES: Sequence[str] = (
    "A body is one JSON object in UTF-8 without a byte-order mark; no name stands twice in an object.",
    "Whole numbers are written without fraction and exponent: 7, not 7.0.",
    f"No number has more than {LONGEST_NUMBER} characters, none is NaN or infinite.",
    f"Values are nested at most {DEEPEST} levels deep.",
    "No text or name holds NUL or half of a surrogate pair.",
    "Texts of one line (request_id, model, analysis types, folder, source) hold printable characters only.",
    "Keys and paths have at most 1024 bytes of UTF-8; a schema counts characters.",
)
OF_REQUESTS: Sequence[str] = (
    'Each file_id is unique in its request, compared as text: 7 and "7" are the same.',
    "Model, bucket, analysis types and budgets are judged when the request is handled: by what is configured "
    "and by what it may cost.",
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A kind of message: its name, its queue, and what a body must look like."""

    name: str
    queue: Queue
    schema: Schema


def incoming() -> Mapping[str, Incoming]:
    """Return all kinds of messages by name."""
    kinds = {name: _of_ours(name, kind) for known in type_names.values() for name, kind in known.items()}
    event = Incoming(EVENT, Queue.STATE, _with_required(schema_of(JobStateChange), "detail-type"))
    return {**kinds, EVENT: event}


def _of_ours(name: str, kind: type[BaseModel]) -> Incoming:
    queue: Queue = getattr(kind, "queue")  # noqa: B009  (a class variable of every message)
    schema = schema_of(kind)
    return Incoming(name, queue, _told(schema) if name == "submit_batch" else _with_required(schema, "type"))


def _told(schema: Schema) -> Schema:
    rules = "\n".join(f"- {rule}" for rule in (*OF_REQUESTS, *RULES))
    return {**schema, "description": f"{schema['description']}\n\nBeside this schema:\n\n{rules}"}


def _with_required(schema: Schema, name: str) -> Schema:
    """Ask for the field that tells messages apart, which only a request may leave out."""
    return {**schema, "required": [name, *schema.get("required", ())]}
