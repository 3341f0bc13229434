"""Asks the queue for messages, never for more than there are places, and never dies of an error."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from daemon.clock import Clock
from daemon.loop.attempt import Failed, attempt
from daemon.loop.circuit import Circuit
from daemon.loop.figures import LoopFigures
from daemon.loop.slots import Slots
from daemon.loop.waits import POLLING, Chance
from daemon.mailbox import BATCH, Mailbox, Received

LOOK_EVERY = 1.0
ALL_WITHIN = 0.006
SOME, SOME_WITHIN = 3, 0.025
_log = structlog.get_logger("polling")


@dataclass
class Poller:
    """Turns once a poll. ``deliver`` takes a message whose place is taken; ``stop`` ends the turning."""

    mailbox: Mailbox
    slots: Slots
    circuit: Circuit
    wait: int
    visibility: int
    deliver: Callable[[Received], None]
    stop: threading.Event
    clock: Clock
    chance: Chance
    figures: LoopFigures
    look_every: float = LOOK_EVERY
    turned_at: float = 0.0
    failures: int = field(default=0, init=False)
    backlog: bool = field(default=False, init=False)

    def turn(self) -> float:
        """Poll once, if there is a place; returns how long to rest before the next turn."""
        self.turned_at = self.clock.monotonic()
        wanted = self.circuit.allowed(self._places())
        if not wanted:
            return self.look_every if self.circuit.is_open else 0.0
        found = attempt(lambda: self.mailbox.receive(wanted, self.wait, self.visibility))
        messages = [] if isinstance(found, Failed) else found
        if isinstance(found, Failed):
            return self._failed(found)
        # Under load a poll ends at once, so what it brings at a stop is still worked on: each receive counts
        # toward the dead letters. An idle poll may bring something seconds later, when others should have it.
        too_late = self.stop.is_set() and not self.backlog
        self._worked(len(messages), wanted)
        if too_late:
            self.release(messages)
        else:
            self.slots.take(len(messages))  # they are there: places are taken by this thread only
            for message in messages:
                self._hand_over(message)
        return 0.0

    def release(self, messages: Sequence[Received]) -> None:
        """Give back what came too late to be worked on."""
        if messages:
            changes = {message.receipt: 0 for message in messages}
            given = attempt(lambda: self.mailbox.extend(changes))
            self.figures.released(len(messages))
            _log.info("messages_released", count=len(messages), heard=not isinstance(given, Failed))

    def _places(self) -> int:
        """Return how many messages there is room for; with a backlog a moment's wait gathers more places."""
        everything = min(BATCH, self.slots.total)
        if self.backlog and not self.slots.wait(everything, ALL_WITHIN):
            self.slots.wait(min(SOME, everything), SOME_WITHIN)
        if not self.slots.free:
            self.slots.wait(1, self.look_every)
        return min(BATCH, self.slots.free)

    def _hand_over(self, message: Received) -> None:
        if isinstance(failed := attempt(lambda: self.deliver(message)), Failed):
            self.slots.give()
            _log.error("message_not_delivered", message_id=message.id, exc_info=failed.error)

    def _failed(self, failed: Failed) -> float:
        self.failures += 1
        self.figures.poll_failed()
        if self.failures == 1:
            _log.warning("poll_failed", error=type(failed.error).__name__, why=failed.why)
        return POLLING.after(self.failures, self.chance)

    def _worked(self, count: int, wanted: int) -> None:
        if self.failures:
            _log.info("poll_works_again", failures=self.failures)
        self.failures = 0
        self.backlog = count == wanted
        self.figures.polled(count)
