"""Every event a log line can be named after, with its meaning; level and fields are read from the code."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import schemas.facts
from daemon.logs import LIBRARY
from schemas.facts import Fact, FindingMade

LEVELS = ("debug", "info", "warning", "error")
EVENTS: Mapping[str, str] = {
    "http_listening": "The HTTP port is open.",
    "started": "The consumers of this process began to receive.",
    "stopped": "The process ended in order.",
    "stopped_by_force": "The process ended although something hung; `forced`: a person asked for it.",
    "cannot_start": "The process ended before it began; `why` says what is missing and what to do.",
    "unknown_setting": "A variable NOVABATCH_… is no setting, most often a slip of the pen.",
    "message_settled": "A message was dealt with; `outcome` as in `novabatch_consumer_messages_total`.",
    "message_later": "A message comes again after a while: what it waits for is not there yet.",
    "message_retried": "A message failed for a passing reason and comes again.",
    "message_refused": "A message can never work: `code` and `why` went to the dead-letter queue with it.",
    "no_dead_letter": "A refused message could not be moved to the dead letters; SQS will do it.",
    "lease_lost": "A message or a row was lost in the middle of its work; another does it again.",
    "message_not_deleted": "A message could not be deleted after its work; it comes again to no effect.",
    "deletions_fail": "Deletions of messages that are done fail; said once until one works.",
    "upload_left": "Parts of an upload could not be taken back; the bucket's lifecycle rule does it.",
    "message_not_given_back": "A message could not be given back; it comes again when its visibility ends.",
    "message_not_delivered": "A received message could not be handed to a place; it comes again.",
    "messages_released": "Messages were given back because the process stops.",
    "follow_up_not_sent": "What follows from a message could not be sent; it comes again and sends it.",
    "tick_refused": "The process's own tick for the reconciler was refused.",
    "visibility_not_extended": "A heartbeat could not keep a message; it tries again before the lease ends.",
    "visibility_extended_again": "Heartbeats work again.",
    "lease_not_renewed": "A heartbeat could not keep the lease of a row.",
    "lease_not_released": "The lease of a row could not be given back; it ends by itself.",
    "poll_failed": "A queue could not be polled; said once until it works again.",
    "poll_works_again": "A queue can be polled again, after so many failures.",
    "polling_rests": "A queue is not polled for a while: what its stages need is down.",
    "polling_goes_on": "A queue is polled again.",
    "draining": "The process was asked to stop and finishes what it has in hand.",
    "drained": "What was in hand is finished or given back.",
    "handler_hung": "A handler did not end within the time to drain.",
    "stage_broke": "A stage raised what it should not: a fault of novabatch; the message comes again.",
    "step_broke": "A step of the loop raised what it should not; the loop goes on.",
    "loop_broke": "The loop raised what it should not, and goes on.",
    "gauges_not_read": "The figures of the store or the queues could not be read.",
    LIBRARY: "A library warned; `logger` is its name for itself.",
    "systemd_not_told": "systemd asked to be told how the process fares, and could not be; said once.",
    "storage_not_measured": "The bucket could not be listed for the storage gauges.",
}

PAGE = """\
# Log events

One line is one JSON object on standard error: `timestamp`, `level`, `event`, and the fields of the event.
Names are constant: count and search by `event`. Bound to all lines of a message are `queue`, `message_id`,
`type`, and the `batch_id`, `chunk_id`, `request_id` or `job_arn` it speaks of; a chunk's lines name its
batch too.

No line holds a password, a key, a whole body, a prompt or a text of the model. Where something broke,
`exception` says what kind of error it was and where it arose; what the error itself says may repeat the data
it met and is told at the level `debug` only (`NOVABATCH_LOG_LEVEL`). A refusal quotes the value it refuses,
at most 60 bytes of it. `make pages` writes this page from `schemas/facts.py`, `daemon/event_list.py` and the
calls of loggers in `daemon/`.

## What became true

Told once, when it is stored.

| event | level | fields | meaning |
|---|---|---|---|
"""

REST = """
## How the process fares

| event | level | fields | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that logs a line, as it stands in the code."""

    event: str
    level: str
    fields: Sequence[str]


def facts() -> Sequence[type[Fact]]:
    """Return all kinds of facts."""
    kinds = [each for each in vars(schemas.facts).values() if isinstance(each, type)]
    return [kind for kind in kinds if issubclass(kind, Fact) and kind is not Fact]


def calls() -> Iterator[Call]:
    """Read the calls of loggers in the daemon; ValueError for an event whose name is no constant."""
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {f"_log.{level}" for level in LEVELS}:
                name = ast.literal_eval(node.args[0])
                names = [str(keyword.arg) for keyword in node.keywords]
                yield Call(name, ast.unparse(node.func).removeprefix("_log."), names)
    yield from (Call(LIBRARY, level, ("logger", "why")) for level in ("warning", "error"))


def page() -> str:
    """Return the docs page of all events, as Markdown."""
    told = "".join(map(_fact, sorted(facts(), key=lambda kind: kind.event)))
    made = tuple(calls())
    return PAGE + told + REST + "".join(_event(name, made) for name in sorted(EVENTS))


def _fact(kind: type[Fact]) -> str:
    names = [each.name for each in fields(kind)]
    level = "warning" if kind is FindingMade else "info"
    meaning = " ".join((kind.__doc__ or "").split()).replace("``", "`")
    return _row(kind.event, [level], names, meaning)


def _event(name: str, made: Sequence[Call]) -> str:
    own = [call for call in made if call.event == name]
    names = dict.fromkeys(field for call in own for field in call.fields)
    shown = ["exception" if field == "exc_info" else field for field in names]
    return _row(name, dict.fromkeys(call.level for call in own), shown, EVENTS[name])


def _row(name: str, levels: Iterable[str], names: Sequence[str], meaning: str) -> str:
    told = ", ".join(f"`{each}`" for each in names)
    return f"| `{name}` | {', '.join(levels)} | {told} | {meaning} |\n"


if __name__ == "__main__":
    print(page(), end="")
