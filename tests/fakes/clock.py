"""A clock that moves only when told."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 10, tzinfo=UTC)


@dataclass
class FakeClock:
    """Both clocks at once: seconds since its start, and the time of day."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Dice:
    """Chance that always falls the same way."""

    value: float = 0.5

    def random(self) -> float:
        return self.value
