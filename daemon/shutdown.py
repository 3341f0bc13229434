"""SIGTERM and SIGINT: the first stops in order, the second at once, more change nothing."""

import select
import signal
import socket
from types import FrameType, TracebackType

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Counts signals while the block lasts; to be used in the main thread.

    The handler only counts: anything that locks could wait for ever for the thread it has interrupted.
    """

    def __init__(self) -> None:
        self._count = 0
        self._reader, self._writer = socket.socketpair()
        self._before: list[object] = []

    def __enter__(self) -> "Signals":
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = [signal.signal(each, self._note) for each in STOPPING]
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for each, before in zip(STOPPING, self._before, strict=True):
            signal.signal(each, before)  # type: ignore[arg-type]  # what signal() returned
        self._reader.close()
        self._writer.close()

    @property
    def asked(self) -> bool:
        """Tell whether to stop."""
        return self._count > 0

    @property
    def forced(self) -> bool:
        """Tell whether to stop at once."""
        return self._count > 1

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a signal arrives."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        if ready:
            self._reader.recv(64)

    def _note(self, _: int, __: FrameType | None) -> None:
        self._count += 1
