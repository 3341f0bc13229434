"""The AsyncAPI 3 document: queues, dead letters, and the ways out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from daemon.contract import examples, told
from daemon.contract.incoming import OURS, incoming
from daemon.contract.json_schema import Schema, hoisted
from daemon.contract.outgoing import events
from schemas.queues import Queue

Json = dict[str, Any]
SCHEMAS = "#/components/schemas/"
MAX_RECEIVES = 10
ADDRESSES: Mapping[Queue, str] = {
    Queue.SUBMIT: "submit-requests",
    Queue.STATE: "job-state-changes",
    Queue.CLEANUP: "cleanup-requests",
}
SAID: Mapping[Queue, str] = {
    Queue.SUBMIT: "Requests, and what moves them on until a job is created.",
    Queue.STATE: "Events of Bedrock's jobs, and what follows from them.",
    Queue.CLEANUP: "What is to be deleted.",
}
DEAD_LETTER: Schema = {
    "title": "dead_letter",
    "description": "The body as it came, whatever it was.",
}
REASON: Schema = {
    "type": "object",
    "description": "Message attributes; absent where SQS itself moved the message.",
    "properties": {
        "error_code": {"type": "string", "description": "For programs."},
        "error_message": {"type": "string", "description": "For people: field, value found, remedy."},
    },
}
INFO: Json = {
    "title": "novabatch",
    "version": "1.0.0",
    "description": "Analyses media in S3 with Amazon Nova at Bedrock's batch rate. Messages go in by SQS; "
    "events come out by a queue, an EventBridge bus, or both, at least once. Every queue may deliver a "
    "message twice and in any order: the same message again changes nothing.",
    "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}


def document() -> Json:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "channels": {**_queues(), **_dead_letters(), "events": _way_out()},
        "operations": {**_receives(), **_sends(), **_buries(), "tell": _tell()},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _queues() -> Json:
    return {queue.value: _channel(queue) for queue in Queue}


def _channel(queue: Queue) -> Json:
    dead = {"deadLetterQueue": {"name": _dead(queue)}, "maxReceiveCount": MAX_RECEIVES}
    return {
        "address": ADDRESSES[queue],
        "description": f"{SAID[queue]} NOVABATCH_{queue.value.upper()}_QUEUE names another queue.",
        "messages": _refs(_names(queue), "#/components/messages/"),
        "bindings": {"sqs": {"queue": {"name": ADDRESSES[queue], "fifoQueue": False, "redrivePolicy": dead}}},
    }


def _dead_letters() -> Json:
    return {
        f"{queue.value}_dlq": {
            "address": _dead(queue),
            "description": f"What can never work, and what failed {MAX_RECEIVES} times.",
            "messages": _refs(["dead_letter"], "#/components/messages/"),
            "bindings": {"sqs": {"queue": {"name": _dead(queue), "fifoQueue": False}}},
        }
        for queue in Queue
    }


def _way_out() -> Json:
    return {
        "address": None,
        "description": "Told to NOVABATCH_EVENTS_QUEUE, NOVABATCH_EVENT_BUS or both, never before what an "
        "event speaks of is there. On a bus EventBridge adds fields of its own around the same detail.",
        "messages": _refs(events(), "#/components/messages/"),
    }


def _receives() -> Json:
    return {
        f"handle_{queue.value}": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{queue.value}"},
            "summary": SAID[queue],
            "messages": _listed(queue.value, _names(queue)),
        }
        for queue in Queue
    }


def _sends() -> Json:
    return {
        f"continue_{queue.value}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{queue.value}"},
            "summary": "novabatch tells itself what comes next.",
            "messages": _listed(queue.value, [name for name in _names(queue) if name in OURS]),
        }
        for queue in Queue
    }


def _buries() -> Json:
    return {
        f"bury_{queue.value}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{queue.value}_dlq"},
            "summary": "A message that can never work is put there at once, with the reason.",
            "messages": _listed(f"{queue.value}_dlq", ["dead_letter"]),
        }
        for queue in Queue
    }


def _tell() -> Json:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/events"},
        "summary": "Senders hear what became of their requests.",
        "messages": _listed("events", events()),
    }


def _messages() -> Json:
    bodies = {name: kind.schema for name, kind in incoming().items()} | dict(events())
    shown = {**examples.INCOMING, **told.OUTGOING}
    made = {name: _message(name, schema, shown.get(name, ())) for name, schema in bodies.items()}
    return {**made, "dead_letter": {**_message("dead_letter", DEAD_LETTER, ()), "headers": REASON}}


def _message(name: str, schema: Schema, shown: Sequence[Any]) -> Json:
    told_first = schema["description"].partition("\n\n")[0]
    named = [{"name": f"{name}_{number}", "payload": body} for number, body in enumerate(shown, 1)]
    return {
        "name": name,
        "summary": told_first,
        "payload": {"$ref": f"{SCHEMAS}{name}"},
        **({"tags": [{"name": "internal"}]} if name in OURS else {}),
        **({"examples": named} if named else {}),
    }


def _schemas() -> Json:
    found: Json = {"dead_letter": DEAD_LETTER}
    for name, kind in incoming().items():
        _add(found, name, kind.schema)
    for name, schema in events().items():
        own = {f"{name}_detail" if part == "Detail" else part: each for part, each in schema["$defs"].items()}
        detail = {"$ref": f"#/$defs/{name}_detail"}
        _add(found, name, {**schema, "$defs": own, "properties": {**schema["properties"], "detail": detail}})
    return found


def _add(found: Json, name: str, schema: Schema) -> None:
    """Add a schema and its definitions; two that share a name must be the same."""
    own, definitions = hoisted(schema, SCHEMAS)
    for part, each in {name: own, **definitions}.items():
        if found.setdefault(part, each) != each:
            raise ValueError(f"two schemas are named {part}")


def _names(queue: Queue) -> Sequence[str]:
    return [name for name, kind in incoming().items() if kind.queue is queue]


def _dead(queue: Queue) -> str:
    return f"{ADDRESSES[queue]}-dlq"


def _refs(names: Iterable[str], where: str) -> Json:
    return {name: {"$ref": where + name} for name in names}


def _listed(channel: str, names: Iterable[str]) -> list[Json]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
