"""Stops asking for messages while what the stages need is down, so that no message uses up its receives."""

from daemon.clock import Clock
from daemon.loop.waits import CIRCUIT, Chance

FAILURES = 5


class Circuit:
    """Opens once so many different messages failed for what passes, with no success between.

    Then one message at a time probes, after waits that grow.
    """

    def __init__(self, clock: Clock, chance: Chance, failures: int = FAILURES) -> None:
        self._clock = clock
        self._chance = chance
        self._failures = failures
        self._failing: set[str] = set()
        self._probes = 0
        self._closed_until = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether the last messages all failed for what passes."""
        return len(self._failing) >= self._failures

    def allowed(self, wanted: int) -> int:
        """Return how many messages may be asked for now."""
        if not self.is_open:
            return wanted
        return min(1, wanted) if self._clock.monotonic() >= self._closed_until else 0

    def worked(self) -> bool:
        """Note a message that was dealt with; tells whether this closes the circuit."""
        was_open = self.is_open
        self._failing = set()
        self._probes = 0
        return was_open

    def failed(self, message_id: str) -> bool:
        """Note a passing fault; tells whether this opens the circuit."""
        was_open = self.is_open
        if not was_open:
            self._failing.add(message_id)
        if self.is_open:
            self._probes += 1
            self._closed_until = self._clock.monotonic() + CIRCUIT.after(self._probes, self._chance)
        return self.is_open and not was_open
