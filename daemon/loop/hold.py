"""A message in hand, with the leases its stage took: kept together, lost together."""

import threading
from itertools import count
from typing import Protocol

import structlog

from consumers.core.faults import Fault, LeaseLost
from consumers.core.rows import Held, Leased
from daemon.clock import Clock
from daemon.mailbox import LONGEST_HOLD, Received

MARGIN = 300  # seconds before SQS's 12 hours are over, for clocks that differ
_serials = count()
_log = structlog.get_logger("hold")


class Leases(Protocol):
    """Leases in the store, by the database's clock."""

    def take(self, kind: Leased, id: str, seconds: float) -> Held | None:
        """Take a lease, or return None: somebody has it."""

    def renew(self, held: Held, seconds: float) -> bool:
        """Keep a lease for so long from now; False if it is another's."""

    def release(self, held: Held) -> None:
        """Give a lease back."""


class Hold:
    """Made at receipt, beaten by the heartbeat, over when the outcome is settled.

    ``lock`` is held while SQS is told anything about the message, so that a beat never follows a deletion.
    A tick has no message: ``received`` is None.
    """

    def __init__(self, received: Received | None, leases: Leases, seconds: int, clock: Clock) -> None:
        self.received = received
        self.receipt = received.receipt if received else ""
        self.began = clock.monotonic()
        self.lock = threading.Lock()
        self.serial = next(_serials)
        self.settled = False
        self.cancelled = False
        self._leases = leases
        self._seconds = seconds
        self._clock = clock
        self._taken: dict[Held, float] = {}
        self._taking = threading.Lock()
        self._seen_until = self.began + seconds if received else float("inf")
        self._last = self.began + _allowance(received, clock)
        self._lost = ""

    def take(self, kind: Leased, id: str) -> Held | None:
        """Take a lease for as long as the message is worked on; this is ``world.hold``."""
        self.checkpoint()
        with self._taking:
            began = self._clock.monotonic()
            held = self._leases.take(kind, id, self._seconds)
            if held is not None:
                self._taken[held] = began + self._seconds
        return held

    def checkpoint(self) -> None:
        """Raise LeaseLost once the message or a lease is lost; this is ``world.checkpoint``."""
        if why := self.lost:
            raise LeaseLost(why)
        if self.cancelled:
            raise LeaseLost("the process stops")

    @property
    def lost(self) -> str:
        """Return why the message is no longer ours alone; empty while it is."""
        if not self._lost and self._clock.monotonic() >= self.until:
            self.lose("it was not renewed in time")
        return self._lost

    @property
    def until(self) -> float:
        """Return when message and leases end unless they are renewed."""
        return min([self._seen_until, *tuple(self._taken.values())])

    def lose(self, why: str) -> None:
        """Call the work off; the first reason stays."""
        self._lost = self._lost or why

    def cancel(self) -> None:
        """Ask the stage to stop at its next checkpoint; the message is still ours and is given back."""
        self.cancelled = True

    def extension(self) -> int:
        """Return for how many seconds the message may be hidden from now on; 0 when its 12 hours are over."""
        return max(0, min(self._seconds, self.remaining()))

    def remaining(self) -> int:
        """Return how much is left of the 12 hours SQS hides a message in total."""
        return int(max(0.0, self._last - self._clock.monotonic()))

    def extended(self, began: float, seconds: int) -> None:
        """Note that the message stays hidden for so long since a call began."""
        self._seen_until = began + seconds

    def renew_leases(self) -> None:
        """Renew every lease taken; one that is another's by now calls the work off."""
        with self._taking:
            for held in tuple(self._taken):
                self._renew(held)

    def let_go(self) -> None:
        """Give all leases back; one that cannot be given back ends by itself."""
        with self._taking:
            for held in tuple(self._taken):
                self._release(held)
            self._taken.clear()

    def _renew(self, held: Held) -> None:
        began = self._clock.monotonic()
        try:
            ours = self._leases.renew(held, self._seconds)
        except Fault as fault:
            _log.warning("lease_not_renewed", kind=held.kind, id=held.id, why=fault.message)
            return
        if ours:
            self._taken[held] = began + self._seconds
        else:
            self.lose(f"the lease of {held.kind} {held.id} is another's by now")

    def _release(self, held: Held) -> None:
        try:
            self._leases.release(held)
        except Fault as fault:
            _log.warning("lease_not_released", kind=held.kind, id=held.id, why=fault.message)


def _allowance(received: Received | None, clock: Clock) -> float:
    """Return how many of the message's 12 hours are left, by its first receive."""
    if received is None:
        return float("inf")
    age = max(0.0, clock.now().timestamp() - received.first_received_at) if received.receives > 1 else 0.0
    return LONGEST_HOLD - MARGIN - age
