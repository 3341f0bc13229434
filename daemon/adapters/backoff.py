"""Trying again, each time after a longer wait with some chance in it."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from consumers.core.faults import PassingFault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often to try and how long to wait: ``first`` seconds, doubling, at most ``longest``."""

    tries: int
    first: float = 0.2
    longest: float = 15.0

    def run(self, call: Callable[[], T], stopped: threading.Event | None = None) -> T:
        """Call until there is no PassingFault; the last one is raised, at once when ``stopped`` is set."""
        stopped = stopped or threading.Event()
        for wait in self._waits():
            try:
                return call()
            except PassingFault:
                if stopped.wait(wait):
                    raise
        return call()

    def _waits(self) -> Iterator[float]:
        for number in range(self.tries - 1):
            longest = min(self.longest, self.first * 2**number)
            yield random.uniform(longest / 2, longest)
