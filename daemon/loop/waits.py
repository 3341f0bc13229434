"""How long to wait before the next try; the chance in it comes as an argument."""

from dataclasses import dataclass
from typing import Protocol


class Chance(Protocol):
    """A source of random numbers."""

    def random(self) -> float:
        """Return a number from 0 up to, not including, 1."""


@dataclass(frozen=True, slots=True)
class Waits:
    """``first`` seconds, doubling, at most ``longest``, all of it chance but the least."""

    first: float
    longest: float
    least: float = 1.0

    def after(self, tries: int, chance: Chance) -> float:
        """Return the wait after so many tries."""
        longest = min(self.longest, self.first * 2.0 ** min(tries - 1, 32))
        return self.least + max(0.0, longest - self.least) * chance.random()


PASSING = Waits(first=5, longest=900)
DENIED = Waits(first=60, longest=900, least=15)
POLLING = Waits(first=1, longest=60, least=0.5)
SETTLING = Waits(first=0.5, longest=10, least=0.2)
CIRCUIT = Waits(first=10, longest=300, least=5)
