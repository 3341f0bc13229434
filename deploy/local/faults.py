"""Faults to inject: which there are, how long each lasts, and who meets them."""

import random
import re
import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Any

HOLDS = ("before", "after")
OUTCOMES = ("PartiallyCompleted", "Failed", "Stopped", "Expired", "stuck")
RECORD_ACTIONS = ("error", "truncate", "fence", "bad_escape", "empty", "missing", "prose")


@dataclass(kw_only=True)
class Fault:
    """What every fault has: how many it lets pass first, how often it strikes and how often it has."""

    skip: int = 0
    count: int | None = None
    ratio: float = 1.0
    hits: int = field(default=0, init=False)
    _passed: int = field(default=0, init=False, repr=False)
    _dice: random.Random = field(default_factory=lambda: random.Random(7), init=False, repr=False)

    def strikes(self) -> bool:
        """Decide, and count it: the same sequence in every run."""
        if self._passed < self.skip:
            self._passed += 1
            return False
        if self.count is not None and self.hits >= self.count:
            return False
        if self.ratio < 1.0 and self._dice.random() >= self.ratio:
            return False
        self.hits += 1
        return True


@dataclass(kw_only=True)
class CallFault(Fault):
    """A fault of an API call: an error, latency, a lost answer, a body cut short, entries that fail.

    ``caller`` is the access key id of those it is for. With ``hold`` they wait for an answer until all
    faults are cleared, and then get none: the call is held ``before`` it is carried out, and never is, or
    ``after`` it was. ``held`` names the operations that wait.
    """

    service: str = "*"
    operation: str = "*"
    match: str = ""
    caller: str = ""
    code: str = ""
    message: str = "injected by the local AWS"
    status: int = 0
    latency: float = 0.0
    lost_answer: bool | str = False
    cut_body: int | None = None
    fail_entries: str = ""
    hold: str = ""
    held: list[str] = field(default_factory=list, init=False)
    _cleared: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.hold and self.hold not in HOLDS:
            raise ValueError(f"hold must be one of {', '.join(HOLDS)}")

    def wait(self, operation: str) -> None:
        """Keep a caller until the fault is cleared."""
        self.held.append(operation)
        self._cleared.wait()

    def end(self) -> None:
        """Let go of whoever waits."""
        self._cleared.set()

    def meets(self, service: str, operation: str, text: str, caller: str) -> bool:
        """Tell whether a call is one this fault is for."""
        return (
            self.service in ("*", service)
            and self.operation in ("*", operation)
            and self.caller in ("", caller)
            and (not self.match or re.search(self.match, text) is not None)
        )


@dataclass(kw_only=True)
class JobFault(Fault):
    """What becomes of a job whose name matches."""

    name: str = ""
    outcome: str = "Failed"
    message: str = ""
    state: str = "InProgress"
    missing_share: float = 0.3

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")


@dataclass(kw_only=True)
class RecordFault(Fault):
    """What becomes of a record whose recordId matches, the first `attempts` times each id is seen."""

    record: str = ""
    action: str = "error"
    attempts: int | None = None
    code: int = 500
    message: str = "The system encountered an unexpected error during processing. Try your request again."
    retryable: bool = False
    seen: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.action not in RECORD_ACTIONS:
            raise ValueError(f"action must be one of {', '.join(RECORD_ACTIONS)}")

    def meets(self, record_id: str) -> bool:
        """Tell whether the fault is for this record this time, and count the sight of it."""
        if re.search(self.record, record_id) is None:
            return False
        self.seen[record_id] = self.seen.get(record_id, 0) + 1
        return self.attempts is None or self.seen[record_id] <= self.attempts


@dataclass(kw_only=True)
class EventFaults:
    """How badly state-change events are delivered."""

    drop_events: float = 0.0
    drop_statuses: list[str] = field(default_factory=list)
    duplicate_events: int = 0
    shuffle_events: bool = False


class Faults:
    """All faults in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[CallFault] = []
        self.clear()

    def clear(self) -> None:
        """Forget every fault, and let go of the calls that are held."""
        with self._lock:
            for fault in self._calls:
                fault.end()
            self._calls = []
            self._jobs: list[JobFault] = []
            self._records: list[RecordFault] = []
            self.events = EventFaults()

    def add(self, wanted: dict[str, Any]) -> None:
        """Add faults as `{"calls": [...], "jobs": [...], "records": [...], "events": {...}}`."""
        unknown = sorted(set(wanted) - {"calls", "jobs", "records", "events"})
        if unknown:
            raise ValueError(
                f"unknown kind of fault {', '.join(unknown)}; there are calls, jobs, records, events"
            )
        calls = [_build(CallFault, each) for each in wanted.get("calls", [])]
        jobs = [_build(JobFault, each) for each in wanted.get("jobs", [])]
        records = [_build(RecordFault, each) for each in wanted.get("records", [])]
        events = _build(EventFaults, wanted["events"]) if "events" in wanted else None
        with self._lock:
            self._calls += calls
            self._jobs += jobs
            self._records += records
            self.events = events or self.events

    def describe(self) -> dict[str, Any]:
        """Return all faults with their hits, in the shape `add` takes."""
        with self._lock:
            return {
                "calls": [_shown(each) for each in self._calls],
                "jobs": [_shown(each) for each in self._jobs],
                "records": [_shown(each) for each in self._records],
                "events": asdict(self.events),
            }

    def for_call(self, service: str, operation: str, text: str, caller: str = "") -> CallFault | None:
        """Return the first fault that strikes this call."""
        with self._lock:
            found = (f for f in self._calls if f.meets(service, operation, text, caller) and f.strikes())
            return next(found, None)

    def for_job(self, name: str) -> JobFault | None:
        """Return the first fault that strikes a job of this name."""
        with self._lock:
            return next((f for f in self._jobs if re.search(f.name, name) and f.strikes()), None)

    def for_record(self, record_id: str) -> RecordFault | None:
        """Return the first fault that strikes this record."""
        with self._lock:
            return next((f for f in self._records if f.meets(record_id) and f.strikes()), None)


def _build(kind: Any, values: dict[str, Any]) -> Any:
    allowed = sorted(f.name for f in fields(kind) if f.init)
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(allowed)}")
    return kind(**values)


def _shown(fault: Fault) -> dict[str, Any]:
    return {f.name: getattr(fault, f.name) for f in fields(fault) if not f.name.startswith("_")}
