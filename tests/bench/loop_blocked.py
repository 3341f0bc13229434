"""What slow messages hold up: one in ten takes a hundred times as long as the others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from consumers.core.world import Done, Outcome, World
from daemon.adapters import sqs
from daemon.worker import Pace
from schemas.messages import PlanBatch
from tests.bench import child
from tests.bench.drain import drain
from tests.bench.loop_worker import BODY, QUEUE, make_worker
from tests.bench.rounds import interleaved
from tests.bench.stub.client import Stub
from tests.bench.table import Scale, Table, Target

MESSAGES = {Scale.TINY: 10, Scale.SHORT: 1500, Scale.FULL: 2000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 1, Scale.FULL: 3}
PLACES, EVERY = 10, 10
SLOW, QUICK = 0.5, 0.005
IDEAL = PLACES / (SLOW / EVERY + QUICK * (1 - 1 / EVERY))
TENS, OURS = "naive: ten at a time, all waited for", "our worker, 10 places"
WORK = {TENS: "tens", OURS: "ours"}


def blocked_table(server: Stub, scale: Scale) -> Table:
    """Empty a queue in which every tenth message is slow."""
    messages, calls = MESSAGES[scale], {}

    def measure(name: str) -> float:
        some = max(10, messages // 10) if name == TENS else messages
        server.reset()
        server.control("send", queue=QUEUE, body=BODY, count=some)
        ran = child.run(scale, f"tests.bench.loop_blocked:{WORK[name]}", server.environment, messages=some)
        counts = server.told()["counts"].items()
        calls[name] = sum(count for call, count in counts if not call.startswith("Get")) / some * 1000
        return some / ran.seconds

    rates = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in WORK})
    return Table(
        f"loop: {messages:,} messages, one in {EVERY} takes {SLOW * 1000:.0f} ms, others {QUICK * 1000:.0f}",
        ("way", "messages/s", "share of the ideal", "calls/1,000"),
        [(name, rates[name], rates[name] / IDEAL, calls[name]) for name in WORK],
        [
            Target("share of the ideal", rates[OURS] / IDEAL, "≥", 0.8),
            Target("calls for 1,000 messages, one in ten slow", calls[OURS], "≤", 500),
        ],
        f"The ideal keeps all {PLACES} places busy: {IDEAL:.0f} messages a second.",
    )


def last(number: int) -> float:
    """Return how long a message takes, by its number."""
    return SLOW if number % EVERY == 0 else QUICK


@contextmanager
def tens(messages: int) -> Iterator[Callable[[], None]]:
    """Handle ten at a time and wait for the slowest of them."""
    client = sqs.make_client(0, 2)
    url, pause = client.get_queue_url(QueueName=QUEUE)["QueueUrl"], threading.Event()

    def work() -> None:
        begun = 0
        while begun < messages:
            found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
            list(threads.map(lambda number: pause.wait(last(number)), range(begun, begun + len(found))))
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
            client.delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
            begun += len(found)

    with ThreadPoolExecutor(PLACES) as threads:
        yield work
    client.close()


@contextmanager
def ours(messages: int) -> Iterator[Callable[[], None]]:
    """Let a worker of ten places empty the queue."""
    ended, pause, lock = threading.Event(), threading.Event(), threading.Lock()
    numbers, left = iter(range(messages)), [messages]

    def stage(message: PlanBatch, world: World) -> Outcome:
        with lock:
            number = next(numbers, 1)
        pause.wait(last(number))
        with lock:
            left[0] -= 1
        if not left[0]:
            ended.set()
        return Done()

    client, poller = sqs.make_client(0, 14), sqs.make_client(1, 2)
    worker = make_worker(stage, sqs.open_mailbox(client, poller, QUEUE), Pace(PLACES, 120, 1))

    def work() -> None:
        worker.start()
        ended.wait()
        while not worker.deleter.is_empty:
            pause.wait(0.002)

    yield work
    drain([worker])
    client.close()
    poller.close()
