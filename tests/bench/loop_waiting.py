"""What the loop asks for while it waits or holds, and what it keeps: calls on a virtual clock, and memory."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from consumers.core.world import Done, Outcome, World
from daemon.adapters import sqs
from daemon.worker import Pace
from schemas.messages import PlanBatch
from tests.bench import child
from tests.bench.drain import drain
from tests.bench.loop_worker import BODY, QUEUE, make_worker
from tests.bench.stub.client import Stub
from tests.bench.table import Scale, Table, Target
from tests.daemon.bench import Bench

MESSAGES = {Scale.TINY: 20, Scale.SHORT: 12_000, Scale.FULL: 50_000}
HOLDS = {Scale.TINY: 20, Scale.SHORT: 1000, Scale.FULL: 1000}
HOUR, POLL = 3600.0, 20.0


def waiting_table(server: Stub, scale: Scale) -> Table:
    """Let a queue be idle for an hour, hold a thousand messages, and count memory over many."""
    messages, holds = MESSAGES[scale], HOLDS[scale]
    server.reset()
    server.control("send", queue=QUEUE, body=BODY, count=messages)
    ran = child.run(scale, "tests.bench.loop_waiting:growing", server.environment, messages=messages)
    slope = ran.value / messages * 2 * 10_000
    idle, beats = idle_receives(), beat_calls(holds)
    return Table(
        "loop: what it asks for while it waits, and what it keeps",
        ("figure", "found"),
        [
            ("receives a minute and queue, one idle hour on a virtual clock", idle),
            (f"calls to beat {holds:,} messages once", beats),
            (f"MB more for 10,000 messages, over the second half of {messages:,}", slope),
        ],
        [
            Target("receives a minute of an idle queue", idle, "≤", 3),
            Target("calls to beat 1,000 messages once", beats, "≤", 100),
            Target("MB more for 10,000 messages", slope, "≤", 1),
        ],
    )


def idle_receives() -> float:
    """Return the receives a minute of an idle queue."""
    bench = Bench()

    def wait(call: str) -> None:
        if call.startswith("mailbox.receive") and not call.endswith("done"):
            bench.clock.advance(POLL)

    bench.mailbox.on_call = wait
    while bench.clock.seconds < HOUR:
        bench.clock.advance(bench.poll())
    return bench.mailbox.calls.count("receive") / (bench.clock.seconds / 60)


def beat_calls(holds: int) -> float:
    """Return the calls that keep so many messages hidden for another period."""
    bench = Bench(concurrency=holds)
    for _ in range(holds):
        bench.mailbox.post(BODY)
    while bench.mailbox.visible():
        bench.poll()
    bench.worker.heartbeat.beat()
    return bench.mailbox.calls.count("extend")


@contextmanager
def growing(messages: int) -> Iterator[Callable[[], float]]:
    """Let a worker empty the queue; the work returns the MB that the second half of it added."""
    halfway, ended, pause = threading.Event(), threading.Event(), threading.Event()
    left, lock = [messages], threading.Lock()

    def stage(message: PlanBatch, world: World) -> Outcome:
        with lock:
            left[0] -= 1
            if left[0] == messages // 2:
                halfway.set()
            if not left[0]:
                ended.set()
        return Done()

    client, poller = sqs.make_client(0, 14), sqs.make_client(1, 2)
    worker = make_worker(stage, sqs.open_mailbox(client, poller, QUEUE), Pace(8, 120, 1))

    def work() -> float:
        worker.start()
        halfway.wait()
        before = resident_mb()
        ended.wait()
        while not worker.deleter.is_empty:
            pause.wait(0.002)
        return resident_mb() - before

    yield work
    drain([worker])
    client.close()
    poller.close()


def resident_mb() -> float:
    """Return the memory of this process now, in MB; 0 where /proc does not tell."""
    if not child.STATUS.exists():
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", child.STATUS.read_text())
    return int(found[1]) / 1024 if found else 0.0
