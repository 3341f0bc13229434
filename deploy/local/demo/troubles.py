"""What goes wrong on a bad day, all of it at once, and what must come of it all the same."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.local.control import Control
from deploy.local.demo.findings import Answer
from deploy.local.demo.originals import Original

SETTINGS = {
    "NOVABATCH_MAX_FILES_PER_CHUNK": "5",
    "NOVABATCH_RECONCILE_INTERVAL": "2",
    "NOVABATCH_VISIBILITY_TIMEOUT": "10",
}
NEEDED_FILES = 15
EVENTS = {"drop_events": 0.3, "duplicate_events": 4, "shuffle_events": True}


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong: the fault, and the outcome it leaves a file with if it is not cured."""

    what: str
    kind: str
    fault: Mapping[str, Any]
    file_id: int = 0
    outcome: str | None = None


def _record(what: str, file_id: int, outcome: str | None = None, **fault: Any) -> Trouble:
    return Trouble(what, "records", {"record": f"^file-{file_id}:", **fault}, file_id, outcome)


TROUBLES = (
    Trouble("copies are throttled", "calls", {"operation": "CopyObject", "code": "SlowDown", "count": 4}),
    Trouble(
        "the answer to a create is lost",
        "calls",
        {"operation": "CreateModelInvocationJob", "lost_answer": "drop", "count": 1},
    ),
    Trouble(
        "a create is throttled",
        "calls",
        {"operation": "CreateModelInvocationJob", "code": "ThrottlingException", "skip": 1, "count": 1},
    ),
    Trouble(
        "reading an output breaks off",
        "calls",
        {"operation": "GetObject", "match": r"manifest\.jsonl\.out$", "cut_body": 5000, "count": 1},
    ),
    Trouble(
        "a job runs out of time", "jobs", {"outcome": "PartiallyCompleted", "missing_share": 0.97, "count": 1}
    ),
    Trouble("a job fails", "jobs", {"outcome": "Failed", "count": 1}),
    _record("the service fails (503)", 7, code=503, attempts=1),
    _record("the model is busy (429)", 8, code=429, attempts=1),
    _record("an answer is cut off", 9, action="truncate", attempts=1),
    _record("an answer is prose", 10, action="prose", attempts=1),
    _record("a line is missing", 11, action="missing", attempts=1),
    _record("an answer has wrong escapes", 12, action="bad_escape"),
    _record("an answer is withheld", 13, "FILTERED", action="empty"),
    _record("a file is no media (400)", 14, "MODEL_ERROR", code=400, message="The media cannot be read."),
)


def expecting(files: Iterable[Original]) -> list[Original]:
    """Note with each file the outcome that no further attempt would better."""
    final = {trouble.file_id: trouble.outcome for trouble in TROUBLES if trouble.outcome}
    return [replace(each, outcome=final.get(each.file_id)) for each in files]


def begin(control: Control) -> None:
    """Bring about all of it."""
    faults: dict[str, list[Mapping[str, Any]]] = {"calls": [], "jobs": [], "records": []}
    for trouble in TROUBLES:
        faults[trouble.kind].append(trouble.fault)
    control.add_faults(**faults, events=EVENTS)


def hits(control: Control) -> list[tuple[str, int]]:
    """Return how often each trouble struck."""
    told = control.faults()
    left = {kind: iter(told[kind]) for kind in ("calls", "jobs", "records")}
    return [(trouble.what, int(next(left[trouble.kind])["hits"])) for trouble in TROUBLES]


def problems_of_faults(struck: Iterable[tuple[str, int]]) -> list[str]:
    """Say which trouble never came: a day without it proves nothing."""
    return [f"never happened: {what}" for what, times in struck if not times]


def problems_of_purchases(found: Sequence[Answer], jobs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say which record was sent more or less often than its answer says it was tried."""
    sent = Counter(record for job in jobs for record in job["records"])
    tried = {
        each.line["record_id"]: each.line["attempt"] for each in found if each.line and each.line["record_id"]
    }
    return [
        f"{record}: sent {sent[record]} times, attempt {attempt} is stored"
        for record, attempt in tried.items()
        if sent[record] != attempt
    ]


def problems_of_queues(depths: Mapping[str, int]) -> list[str]:
    """Say which dead-letter queues hold messages: a bad day is no reason to give one up."""
    return [f"{queue} holds {count} messages" for queue, count in depths.items() if count]
