"""Keeps what is in hand: messages stay hidden and leases stay ours until the outcome is settled."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import structlog

from consumers.core.faults import Fault
from daemon.clock import Clock
from daemon.loop.figures import LoopFigures
from daemon.loop.hold import Hold
from daemon.loop.waits import Chance
from daemon.mailbox import BATCH, Mailbox

_log = structlog.get_logger("heartbeat")


class Heartbeat:
    """Beats every hold three times in the life of a visibility timeout; a failed beat is repeated soon."""

    def __init__(
        self, mailbox: Mailbox, seconds: int, clock: Clock, chance: Chance, figures: LoopFigures
    ) -> None:
        self._mailbox = mailbox
        self._seconds = seconds
        self._clock = clock
        self._chance = chance
        self._figures = figures
        self._holds: dict[int, Hold] = {}
        self._changing = threading.Lock()
        self._fault = ""

    def add(self, hold: Hold) -> None:
        """Begin to beat."""
        with self._changing:
            self._holds[hold.serial] = hold

    def drop(self, hold: Hold) -> None:
        """Beat no more."""
        with self._changing:
            self._holds.pop(hold.serial, None)

    def holds(self) -> Sequence[Hold]:
        """Return what is in hand, oldest first."""
        with self._changing:
            return tuple(self._holds.values())

    def pause(self) -> float:
        """Return the time to the next round."""
        share = 12 if self._fault else 3
        return self._seconds / share * (0.8 + 0.2 * self._chance.random())

    def beat(self) -> None:
        """Make one round: messages ten a call, then the leases in the store."""
        holds = self.holds()
        with_message = [hold for hold in holds if hold.received is not None]
        for first in range(0, len(with_message), BATCH):
            self._extend(with_message[first : first + BATCH])
        for hold in holds:
            if not hold.settled:
                hold.renew_leases()
        self._figures.lease_remaining(min((hold.until for hold in holds), default=None))

    def _extend(self, group: Sequence[Hold]) -> None:
        with locked(group):
            asked = {
                hold.receipt: hold
                for hold in group
                if not hold.settled and not hold.lost and hold.extension()
            }
            if asked:
                self._ask(asked)

    def _ask(self, asked: dict[str, Hold]) -> None:
        began = self._clock.monotonic()
        changes = {receipt: hold.extension() for receipt, hold in asked.items()}
        try:
            refused = self._mailbox.extend(changes)
        except Fault as fault:
            self._figures.extended("error", len(asked))
            self._note(fault.message)
            return
        self._note("")
        self._figures.extended("ok", len(asked) - len(refused))
        self._figures.extended("failed", len(refused))
        for receipt, hold in asked.items():
            if receipt not in refused:
                hold.extended(began, changes[receipt])
            elif refused[receipt].final:
                hold.lose(f"SQS extends it no more: {refused[receipt].code}")
            else:
                self._fault = refused[receipt].code

    def _note(self, fault: str) -> None:
        """Log when beats begin to fail, and when they work again."""
        if bool(fault) != bool(self._fault):
            if fault:
                _log.warning("visibility_not_extended", why=fault)
            else:
                _log.info("visibility_extended_again")
        self._fault = fault


@contextmanager
def locked(holds: Sequence[Hold]) -> Iterator[None]:
    """Take the locks of several holds, always in the same order."""
    with ExitStack() as stack:
        for hold in sorted(holds, key=lambda hold: hold.serial):
            stack.enter_context(hold.lock)
        yield
