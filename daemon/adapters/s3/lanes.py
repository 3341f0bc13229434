"""A fixed number of threads that work through long sequences without ever holding much of them."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T, threading.Event], R]
AHEAD = 200


class Lanes:
    """Threads shared by all calls of one adapter.

    What is asked for first is done first: each call hands in up to ``AHEAD`` items, more than a chunk has
    files, before its first answer is taken. So chunks are filled one after the other, and while one is listed
    and gets its manifest the threads are busy with the next. When the consumer stops early, what has not
    begun is dropped, ``Work`` is told through its event, and what has begun is waited for: once an iterator
    is closed nothing of it goes on.
    """

    def __init__(self, width: int) -> None:
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="s3")
        self._ahead = max(2 * width, AHEAD)

    def in_order(self, work: Work[T, R], items: Iterable[T]) -> Iterator[R]:
        """Yield the answers in the order of the items."""
        stopped = threading.Event()
        open: deque[Future[R]] = deque()
        try:
            for item in items:
                open.append(self._pool.submit(work, item, stopped))
                if len(open) >= self._ahead:
                    yield open.popleft().result()
            while open:
                yield open.popleft().result()
        finally:
            _abandon(open, stopped)

    def as_done(self, work: Work[T, R], items: Iterable[T]) -> Generator[R, None, None]:
        """Yield each answer as soon as it is there."""
        stopped = threading.Event()
        open: set[Future[R]] = set()
        done: SimpleQueue[Future[R]] = SimpleQueue()
        try:
            for item in items:
                future = self._pool.submit(work, item, stopped)
                open.add(future)
                future.add_done_callback(done.put)
                if len(open) >= self._ahead:
                    yield _take(open, done)
            while open:
                yield _take(open, done)
        finally:
            _abandon(open, stopped)

    def close(self) -> None:
        """End the threads once they have nothing to do."""
        self._pool.shutdown()


def _take(open: set[Future[R]], done: "SimpleQueue[Future[R]]") -> R:
    future = done.get()
    open.discard(future)
    return future.result()


def _abandon(open: Iterable[Future[R]], stopped: threading.Event) -> None:
    stopped.set()
    begun = [future for future in open if not future.cancel()]
    wait(begun)
