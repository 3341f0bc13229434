"""Threads of one worker meet at the same message, and nothing goes wrong."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from consumers.core.world import Done, Outcome, World
from daemon.mailbox import Received, Refusal
from tests.daemon.bench import BODY, Bench
from tests.fakes.mailbox import FakeMailbox

PATIENCE = 30.0


class SharedMailbox(FakeMailbox):
    """A fake queue that threads may share: one call after another."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.one = threading.Lock()

    def receive(self, count: int, wait: int, visibility: int) -> Sequence[Received]:
        with self.one:
            return super().receive(count, wait, visibility)

    def extend(self, changes: Mapping[str, int]) -> Mapping[str, Refusal]:
        with self.one:
            return super().extend(changes)

    def delete(self, receipts: Sequence[str]) -> Mapping[str, Refusal]:
        with self.one:
            return super().delete(receipts)


def test_a_deletion_waits_for_the_beat_that_is_under_way() -> None:
    """L3: SQS hears of a message from one thread at a time."""
    bench, order = Bench(), []
    bench.mailbox.post(BODY)
    bench.poll()
    bench.work()
    deleter = threading.Thread(target=bench.flush)

    def on_call(call: str) -> None:
        order.append(call.split(maxsplit=1)[0] + (" done" if call.endswith("done") else ""))
        if order[-1] == "mailbox.extend":
            deleter.start()
            deleter.join(0.05)  # time enough for a deletion that does not wait

    bench.mailbox.on_call = on_call
    bench.worker.heartbeat.beat()
    deleter.join(PATIENCE)
    assert order == ["mailbox.extend", "mailbox.extend done", "mailbox.delete", "mailbox.delete done"]
    assert bench.metric("consumer_visibility_extensions_total", result="failed") == 0


def test_a_thousand_messages_among_beats_without_end_raise_no_error() -> None:
    """L3: beats and deletions of many threads; a receipt that is gone is never asked about."""
    ended = threading.Event()
    bench = Bench(concurrency=8)
    bench.mailbox = SharedMailbox(bench.clock)
    worker = bench.make_worker()
    for _ in range(1000):
        bench.mailbox.post(BODY)
    beats = threading.Thread(target=lambda: _repeat(worker.heartbeat.beat, ended))
    beats.start()
    worker.start()
    while bench.mailbox.messages:
        threading.Event().wait(0.005)
    worker.stop.set()
    ended.set()
    beats.join(PATIENCE)
    worker.threads.drained.set()
    assert len(bench.mailbox.deleted) == 1000
    assert bench.metric("consumer_visibility_extensions_total", result="failed") == 0
    assert bench.metric("consumer_acks_total", result="failed") == 0
    assert bench.metric("consumer_leases_lost_total") == 0


def _repeat(step: Any, until: threading.Event) -> None:
    while not until.is_set():
        step()


def test_one_message_that_takes_long_holds_up_nobody() -> None:
    """K12: nine places go on while one is busy, and the next polls are not waited for."""
    slow, all_others = threading.Event(), threading.Event()
    left = iter(range(98))

    def stage(message: Any, world: World) -> Outcome:
        if message.batch_id.endswith("1"):
            assert slow.wait(PATIENCE)
        elif next(left, None) is None:
            all_others.set()
        return Done()

    bench = Bench(stage, concurrency=10)
    bench.mailbox = SharedMailbox(bench.clock)
    worker = bench.make_worker()
    bench.mailbox.post(BODY.replace("0" * 20, "0" * 19 + "1"))
    for _ in range(99):
        bench.mailbox.post(BODY)
    worker.start()
    assert all_others.wait(PATIENCE)
    assert worker.slots.busy >= 1
    slow.set()
    worker.stop.set()
    worker.threads.drained.set()
