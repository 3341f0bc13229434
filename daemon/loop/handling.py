"""From a body to an outcome: parse, find the stage, run it, and read what its faults mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from pydantic import BaseModel

from consumers.core.faults import Denied, LeaseLost, PassingFault
from consumers.core.world import Outcome, Refuse, Stage, World
from daemon.loop.attempt import Failed, attempt
from daemon.loop.hold import Hold
from daemon.loop.waits import DENIED, PASSING, Chance
from schemas.documents import Refused
from schemas.events import Event, EventName
from schemas.job_events import JobStateChange
from schemas.parsing import UnreadableMessage, parse
from schemas.queues import Queue

_log = structlog.get_logger("handling")


@dataclass(frozen=True, slots=True)
class Lost:
    """The message or a lease is another's: settle nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class Broke:
    """The stage raised: the message comes again later; ``passing`` faults count in the circuit."""

    after: float
    why: str
    passing: bool


@dataclass(frozen=True, slots=True)
class Released:
    """The process stops: somebody else does it, at once."""


Handled = Outcome | Lost | Broke | Released


@dataclass(frozen=True)
class Handling:
    """The stages of one queue and the world they act in."""

    queue: Queue
    stages: Mapping[type[BaseModel], Stage]
    world: Callable[[Hold], World]
    chance: Chance

    def read(self, body: str) -> BaseModel | UnreadableMessage:
        """Read a body; one that can never become a message is returned as the reason why."""
        try:
            return parse(self.queue, body)
        except UnreadableMessage as error:
            return error

    def run(self, hold: Hold) -> Handled:
        """Deal with what a hold brought."""
        received = hold.received
        if received is None:
            raise ValueError("a tick has no body")
        found = attempt(lambda: self.read(received.body))
        if isinstance(found, Failed):
            return self._broke(found, hold)
        if isinstance(found, UnreadableMessage):
            return self._unreadable(found, hold)
        return self.decide(found, hold)

    def decide(self, message: BaseModel, hold: Hold) -> Handled:
        """Run the stage of a message."""
        stage = self.stages[type(message)]
        _bind(message)
        outcome = attempt(lambda: stage(message, self.world(hold)))
        if isinstance(outcome, Failed):
            return self._broke(outcome, hold)
        return Lost(hold.lost) if hold.lost else outcome

    def _broke(self, failed: Failed, hold: Hold) -> Handled:
        error = failed.error
        tries = hold.received.receives if hold.received else 1
        if isinstance(error, LeaseLost):
            ours = hold.cancelled and not hold.lost
            return Released() if ours else Lost(hold.lost or error.message)
        if isinstance(error, Denied):
            return Broke(DENIED.after(tries, self.chance), error.message, passing=True)
        if isinstance(error, PassingFault):
            return Broke(PASSING.after(tries, self.chance), error.message, passing=True)
        _log.error("stage_broke", error=type(error).__name__, exc_info=error)
        return Broke(PASSING.after(tries, self.chance), failed.why, passing=False)

    def _unreadable(self, error: UnreadableMessage, hold: Hold) -> Refuse:
        if self.queue is not Queue.SUBMIT or error.request_id is None:
            return Refuse(error.code, error.message)
        detail: Refused = {
            "version": 1,
            "request_id": error.request_id,
            "error_code": error.code,
            "error_message": error.message,
        }
        time = self.world(hold).now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Refuse(
            error.code, error.message, (Event(name=EventName.BATCH_REFUSED, time=time, detail=detail),)
        )


def _bind(message: BaseModel) -> None:
    """Let every line logged from here on name what the message is about."""
    structlog.contextvars.bind_contextvars(type=type(message).__name__, **_ids(message))


def _ids(message: BaseModel) -> Mapping[str, str]:
    """Return the ids a message speaks of; a chunk's id names its batch too."""
    if isinstance(message, JobStateChange):
        return {"job_arn": message.detail.arn}
    fields = vars(message)
    found = {name: str(fields[name]) for name in ("batch_id", "chunk_id", "request_id") if fields.get(name)}
    return {"batch_id": found["chunk_id"].partition("-")[0], **found} if "chunk_id" in found else found
