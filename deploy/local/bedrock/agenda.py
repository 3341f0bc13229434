"""Things to do later, done by one thread in the order they fall due."""

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """A thread with a list of due times."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()

    def start(self) -> None:
        """Begin to work; the thread ends with the process."""
        threading.Thread(target=self._work, name="agenda", daemon=True).start()

    def add(self, delay: float, action: Action) -> None:
        """Do something after `delay` seconds."""
        with self._condition:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), action))
            self._condition.notify()

    def clear(self) -> None:
        """Forget everything not yet begun."""
        with self._condition:
            self._due.clear()

    def _work(self) -> None:
        while True:
            action = self._next()
            try:
                action()
            except Exception:
                traceback.print_exc()  # one failed action must not end the thread that steps every job

    def _next(self) -> Action:
        with self._condition:
            while not self._due or self._due[0][0] > time.monotonic():
                wait = self._due[0][0] - time.monotonic() if self._due else None
                self._condition.wait(wait)
            return heapq.heappop(self._due)[2]
