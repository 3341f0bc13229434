"""Handlers that stop in the middle of their work until the test says how it goes on."""

import threading
from collections.abc import Callable

from daemon.worker import Worker

PATIENCE = 20.0


class Crash(BaseException):
    """The process is gone: nothing after this happens."""


class Parked:
    """One handler's thread. It runs only while the test waits for it: every order can be had again."""

    def __init__(self, worker: Worker, name: str) -> None:
        self.worker = worker
        self.over = False
        self._name = name
        self._word = ""
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None

    def begin(self, note: Callable[["Parked"], None]) -> None:
        """Let the thread handle what is in hand until it parks or there is nothing left."""

        def run() -> None:
            self._thread = threading.current_thread()
            note(self)
            try:
                self.worker.handle_waiting()
            except Crash:
                pass
            finally:
                self.over = True
                self._back.release()

        self.worker.threads.start(self._name, run)
        self._wait()

    def park(self) -> str:
        """Wait, within a stage, for the word how to go on."""
        self._back.release()
        self._go.acquire()
        return self._word

    def resume(self, word: str) -> None:
        """Say how to go on, and wait until the thread parks again or has ended."""
        self._word = word
        self._go.release()
        self._wait()

    def _wait(self) -> None:
        assert self._back.acquire(timeout=PATIENCE), f"{self._name} neither parked nor ended"
        if self.over and self._thread is not None:
            self._thread.join(PATIENCE)
