"""A stop of real threads on a virtual clock: all polls end together, and afterwards nobody asks any more."""

import threading

import pytest

from daemon.loop.draining import Drain
from daemon.worker import Worker
from tests.daemon.bench import BODY, Bench

POLL = 20.0
PATIENCE = 20.0


class OpenPolls:
    """Receives that stay open until the virtual clock has passed the time of a poll."""

    def __init__(self, bench: Bench, count: int) -> None:
        self.bench = bench
        self.opened = threading.Semaphore(0)
        self.end = threading.Event()
        bench.mailbox.on_call = self.on_call
        self.workers = [bench.make_worker() for _ in range(count)]

    def on_call(self, call: str) -> None:
        if call.startswith("mailbox.receive") and not call.endswith("done"):
            self.opened.release()
            assert self.end.wait(PATIENCE)

    def start(self) -> None:
        for worker in self.workers:
            worker.start()
        for _ in self.workers:
            assert self.opened.acquire(timeout=PATIENCE)

    def rest(self, _: float) -> None:
        """Let time pass; when the polls are over, let their threads come to their end."""
        self.bench.clock.advance(0.5)
        if self.bench.clock.seconds >= POLL:
            self.end.set()
            while any(worker.threads.living("poller", "handler") for worker in self.workers):
                threading.Event().wait(0.001)

    def stop(self, seconds: float) -> tuple[bool, float]:
        began = self.bench.clock.seconds
        ended = Drain(self.workers, seconds, self.bench.clock, self.rest, lambda: False).run()
        return ended, self.bench.clock.seconds - began


@pytest.mark.parametrize("count", [1, 3])
def test_idle_consumers_stop_within_one_poll_however_many_there_are(count: int) -> None:
    """S6: their polls end side by side, not one after another."""
    polls = OpenPolls(Bench(concurrency=2), count)
    polls.start()
    ended, seconds = polls.stop(60)
    assert ended
    assert seconds <= POLL + 1


def test_after_a_stop_nobody_polls_any_more() -> None:
    """S9: each loop has ended; a message that comes later is left to others."""
    bench = Bench(concurrency=2)
    polls = OpenPolls(bench, 5)
    polls.start()
    polls.stop(60)
    asked = bench.mailbox.calls.count("receive")
    bench.mailbox.post(BODY)
    living = [
        name for worker in polls.workers for name in worker.threads.living("poller", "handler", "ticker")
    ]
    assert living == []
    assert asked == 5
    assert bench.mailbox.calls.count("receive") == asked
    assert bench.mailbox.visible() == ["m1"]


def test_a_stop_deletes_the_seven_messages_that_wait_for_it() -> None:
    """S4: less than a full call of deletions is made before the process ends."""
    bench = Bench()
    for _ in range(7):
        bench.mailbox.post(BODY)
    bench.poll()
    bench.work()
    assert bench.mailbox.deleted == []

    def rest(seconds: float) -> None:
        bench.pass_time(seconds)
        bench.worker.deleter.flush()

    assert Drain([bench.worker], 10, bench.clock, rest, lambda: False).run()
    assert len(bench.mailbox.deleted) == 7
    assert bench.mailbox.messages == {}


def test_a_worker_is_started_once_and_its_threads_are_as_many_as_its_places() -> None:
    """S9: no second loop beside the first one."""
    bench = Bench(concurrency=4)
    polls = OpenPolls(bench, 1)
    (worker,) = polls.workers
    polls.start()
    assert kinds(worker) == {"poller": 1, "handler": 4}
    polls.stop(60)


def kinds(worker: Worker) -> dict[str, int]:
    return {kind: len(worker.threads.living(kind)) for kind in ("poller", "handler")}
