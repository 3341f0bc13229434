"""Every file of the contract, by its name below ``docs/contract/``."""

import json
from collections.abc import Mapping
from typing import Any

from daemon.contract import asyncapi, examples, told
from daemon.contract.incoming import OF_REQUESTS, OURS, RULES, Incoming, incoming
from daemon.contract.json_schema import Schema, standing_alone
from daemon.contract.outgoing import documents, events
from daemon.contract.refused import REFUSED, RefusedBody
from schemas.parsing import UnreadableMessage, parse

PAGE = """\
# The contract

What goes in and what comes out, as files for programs: a JSON Schema (2020-12) of each message, event and
document, and an [AsyncAPI 3 document](asyncapi.json) of the queues. `make pages` writes this folder from
`schemas/` and `daemon/contract/`; each example goes through parser and schema in a test. What the fields
mean stands in the [README](../../README.md) and in [results](../results.md).

## Messages

| type | queue | sent by | what it asks for |
|---|---|---|---|
"""

OUT = """
## What comes back

Fields may be added; those named here keep name and meaning.

| schema | what it is |
|---|---|
"""

BEYOND = """
## What no schema can say

A body that fits its schema is still refused for what these rules say:

"""

WRONG = """
## What is refused, and how it is told

These go to the dead-letter queue at once, with the code in `error_code` and the text in `error_message`; the
sender of a request hears the same in `Batch Refused`. Bodies are in [refused.json](refused.json). A schema
does not see what is marked.

| what is wrong | code | the text |
|---|---|---|
"""


def files() -> Mapping[str, str]:
    """Return all files: name and text."""
    return {
        **{f"{name}.schema.json": _text(schema) for name, schema in schemas().items()},
        "asyncapi.json": _text(asyncapi.document()),
        "refused.json": _text([_refused(name, each) for name, each in REFUSED.items()]),
        "README.md": page(),
    }


def schemas() -> Mapping[str, Schema]:
    """Return all schemas, each a document of its own with its examples."""
    shown = {**examples.INCOMING, **told.OUTGOING}
    found = {name: kind.schema for name, kind in incoming().items()} | dict(events()) | dict(documents())
    return {name: standing_alone(name, schema, list(shown.get(name, ()))) for name, schema in found.items()}


def page() -> str:
    """Return the page that leads to the files."""
    rules = "".join(f"- {rule}\n" for rule in (*OF_REQUESTS, *RULES))
    told_of = {**events(), **documents()}
    out = "".join(f"| {_link(name)} | {_first(schema)} |\n" for name, schema in told_of.items())
    wrong = "".join(map(_wrong, REFUSED, REFUSED.values()))
    return PAGE + "".join(map(_row, incoming().values())) + OUT + out + BEYOND + rules + WRONG + wrong


def _row(kind: Incoming) -> str:
    sender = "novabatch itself" if kind.name in OURS else "you"
    sender = "EventBridge" if kind.name == "job_state_change" else sender
    return f"| {_link(kind.name)} | {kind.queue.value} | {sender} | {_first(kind.schema)} |\n"


def _link(name: str) -> str:
    return f"[`{name}`]({name}.schema.json)"


def _first(schema: Schema) -> str:
    return str(schema["description"]).partition("\n\n")[0]


def _wrong(name: str, refused: RefusedBody) -> str:
    found = reason(refused)
    mark = "" if refused.seen else " (no schema sees it)"
    return f"| {name}{mark} | `{found.code}` | {found.message.replace('|', chr(92) + '|')} |\n"


def reason(refused: RefusedBody) -> UnreadableMessage:
    """Return how a body is refused; ValueError if it is not."""
    try:
        parse(refused.queue, json.dumps(refused.body))
    except UnreadableMessage as found:
        return found
    raise ValueError(f"this is a message: {refused.body}")


def _refused(name: str, refused: RefusedBody) -> dict[str, Any]:
    found = reason(refused)
    return {
        "what_is_wrong": name,
        "queue": refused.queue.value,
        "schema": refused.kind,
        "schema_sees_it": refused.seen,
        "error_code": found.code,
        "error_message": found.message,
        "body": refused.body,
    }


def _text(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"
