"""The threads of one worker: each repeats a step until told to end, and survives what a step raises."""

import threading
from collections.abc import Callable

import structlog

from daemon.loop.attempt import Failed, attempt

AFTER_FAULT = 1.0
_log = structlog.get_logger("threads")


class Threads:
    """Threads that do not keep a process alive. ``drained`` ends those that serve until the last moment."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._all: dict[str, threading.Thread] = {}
        self.drained = threading.Event()

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Start a thread."""
        thread = threading.Thread(target=run, name=f"{self._name}-{name}", daemon=True)
        self._all[name] = thread
        thread.start()

    def repeat(
        self,
        name: str,
        step: Callable[[], float],
        until: threading.Event,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Start a thread that repeats a step, which returns how long to rest, until an event is set."""

        def run() -> None:
            while not until.is_set():
                structlog.contextvars.bind_contextvars(queue=self._name)
                rest = attempt(step)
                if isinstance(rest, Failed):
                    _log.error("step_broke", step=name, exc_info=rest.error)
                    rest = AFTER_FAULT
                if rest:
                    until.wait(rest)
            at_end()

        self.start(name, run)

    def living(self, *kinds: str) -> list[str]:
        """Return the names of threads of these kinds that still run."""
        return [
            name for name, each in self._all.items() if name.partition("-")[0] in kinds and each.is_alive()
        ]
