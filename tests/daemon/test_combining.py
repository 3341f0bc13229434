"""Calls made at the same moment share a request, and each gets its own answer."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from consumers.core.faults import PassingFault
from daemon.adapters.combining import Combined


class Server:
    """Notes what came together; the first request is held until ``go``."""

    def __init__(self, answer: Callable[[Sequence[int]], Sequence[int]]) -> None:
        self.answer = answer
        self.requests: list[list[int]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.requests.append(sorted(items))
        self.begun.set()
        assert self.go.wait(10)
        return self.answer(items)


def calls(server: Server, count: int) -> list[object]:
    """Make one call, the others while it is under way; returns what each came to."""
    call = Combined(server)

    def attempt(item: int) -> object:
        try:
            return call(item)
        except (PassingFault, CancelledError, ArithmeticError, ValueError) as error:
            return type(error)

    with ThreadPoolExecutor(count) as threads:
        first = threads.submit(attempt, 0)
        assert server.begun.wait(10)
        others = [threads.submit(attempt, item) for item in range(1, count)]
        while call.waiting < count - 1:
            threading.Event().wait(0.001)
        server.go.set()
        return [each.result(10) for each in (first, *others)]


def test_what_comes_while_a_request_is_under_way_goes_out_together() -> None:
    server = Server(lambda items: [item * 10 for item in items])
    assert calls(server, 6) == [0, 10, 20, 30, 40, 50]
    assert server.requests == [[0], [1, 2, 3, 4, 5]]


def test_a_call_alone_waits_for_nobody() -> None:
    server = Server(lambda items: items)
    server.go.set()
    assert Combined(server)(7) == 7


def test_a_fault_is_raised_to_everybody_it_struck_and_to_nobody_else() -> None:
    def answer(items: Sequence[int]) -> Sequence[int]:
        if len(items) > 1:
            raise PassingFault("down")
        return items

    server = Server(answer)
    assert calls(server, 4) == [0, PassingFault, PassingFault, PassingFault]


@pytest.mark.parametrize("answer", [lambda items: items[1:], lambda items: [1 // 0]])
def test_after_a_bug_nobody_waits_for_ever(answer: Callable[[Sequence[int]], Sequence[int]]) -> None:
    server = Server(lambda items: items if len(items) == 1 and items[0] == 0 else answer(items))
    told = calls(server, 4)
    assert told[0] == 0
    assert len(told) == 4
