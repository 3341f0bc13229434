"""Calls that several threads make at the same moment share one request."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from consumers.core.faults import Fault

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Combined(Generic[Item, Answer]):
    """Answers calls in batches: while a request is under way, the calls that come wait for the next one.

    A call that finds nobody before it goes out at once, alone. ``work`` takes the items of a batch and
    returns an answer for each; a Fault it raises is raised to every caller.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        self._work = work
        self._waiting: list[tuple[Item, Future[Answer]]] = []
        self._list, self._turn = Lock(), Lock()

    def __call__(self, item: Item) -> Answer:
        """Have one item dealt with, together with those of others."""
        mine: Future[Answer] = Future()
        with self._list:
            self._waiting.append((item, mine))
        with self._turn:
            if not mine.done():
                self._answer()
        return mine.result()

    @property
    def waiting(self) -> int:
        """How many calls wait for the next request."""
        return len(self._waiting)

    def _answer(self) -> None:
        with self._list:
            waiting, self._waiting = self._waiting, []
        try:
            answers = self._work([item for item, _ in waiting])
            for (_, future), answer in zip(waiting, answers, strict=True):
                future.set_result(answer)
        except Fault as fault:
            for _, future in waiting:
                future.set_exception(fault)
        finally:
            for _, future in waiting:
                future.cancel()  # after a bug nobody may wait for ever; what is answered stays so
