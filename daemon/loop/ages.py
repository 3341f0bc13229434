"""How old the oldest message is that this process received and nobody has dealt with, as far as it knows."""

import threading

from daemon.clock import Clock
from daemon.loop.waits import PASSING
from daemon.mailbox import LONGEST_HOLD, Received

COMES_AGAIN_WITHIN = PASSING.longest + 60
"""Seconds after which a message that was given back must be another's: it would have come again."""


class Ages:
    """Remembers when messages were sent, from their receipt until they are dealt with or another has them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: dict[str, tuple[float, float]] = {}

    def begin(self, received: Received) -> None:
        """Note a message that was received."""
        self._note(received, LONGEST_HOLD)

    def give_back(self, received: Received) -> None:
        """Note that a message is to come again."""
        self._note(received, COMES_AGAIN_WITHIN)

    def end(self, received: Received) -> None:
        """Forget a message that was dealt with."""
        with self._lock:
            self._sent.pop(received.id, None)

    def oldest(self) -> float:
        """Return the seconds since the oldest was sent; 0 where there is none."""
        now, wall = self._clock.monotonic(), self._clock.now().timestamp()
        with self._lock:
            self._sent = {id: each for id, each in self._sent.items() if now < each[1]}
            return max((wall - sent_at for sent_at, _ in self._sent.values()), default=0.0)

    def _note(self, received: Received, seconds: float) -> None:
        with self._lock:
            self._sent[received.id] = received.sent_at, self._clock.monotonic() + seconds
