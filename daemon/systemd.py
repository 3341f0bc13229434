"""Tells systemd that the process has started, is alive, and stops; where nobody listens it says nothing."""

import socket
from collections.abc import Callable

import structlog

from daemon.clock import Clock

CALL_TIMEOUT = 1.0  # seconds; a full socket must not hold up the main thread
_log = structlog.get_logger("systemd")


class Systemd:
    """The service's side of sd_notify(3): datagrams to a socket, ``@`` for one in the abstract namespace.

    ``watchdog`` is how many seconds systemd waits between two signs of life; 0 if it waits for none.
    """

    def __init__(self, address: str, watchdog: float, clock: Clock) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every = watchdog / 2 if address and watchdog else float("inf")
        self._clock = clock
        self._asked_at = clock.monotonic() - watchdog
        self._heard = True

    def ready(self) -> None:
        """Say that the process has started."""
        self._say("READY=1")

    def stopping(self) -> None:
        """Say that the process drains."""
        self._say("STOPPING=1")

    def feed(self, is_live: Callable[[], bool]) -> None:
        """Give a sign of life if it is time for one and the process lives."""
        if self.pause() <= 0:
            self._asked_at = self._clock.monotonic()
            if is_live():
                self._say("WATCHDOG=1")

    def pause(self) -> float:
        """Return how many seconds there are until the next sign of life is due."""
        return max(0.0, self._asked_at + self._every - self._clock.monotonic())

    def _say(self, word: str) -> None:
        """Send one datagram; that nobody hears is said once."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(CALL_TIMEOUT)
                sender.sendto(word.encode(), self._address)
            self._heard = True
        except OSError as error:
            if self._heard:
                _log.warning("systemd_not_told", word=word, why=error.strerror or str(error))
            self._heard = False
