"""The message loop without any work: what a message costs beside bare calls to SQS."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from consumers.core.world import Done, Outcome, World
from daemon.adapters import sqs
from daemon.clock import SystemClock
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.worker import Means, Pace, Worker
from schemas.messages import PlanBatch
from schemas.queues import Queue
from tests.bench import child
from tests.bench.drain import drain
from tests.bench.rounds import interleaved
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target
from tests.fakes.clock import FakeClock
from tests.fakes.leases import FakeLeases

QUEUE = "submit-requests"
BODY = PlanBatch(batch_id="b" + "0" * 20).model_dump_json()
MESSAGES = {Scale.TINY: 20, Scale.SHORT: 4000, Scale.FULL: 10_000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, BARE, OURS = "receive one, delete one", "bare receive(10) + delete_batch(10)", "our worker, 8 places"
WORK = {NAIVE: "naive", BARE: "bare", OURS: "ours"}


def tables(scale: Scale) -> Iterator[Table]:
    """Empty a queue in three ways."""
    with stub(scale) as server:
        yield _table(server, scale)


def _table(server: Stub, scale: Scale) -> Table:
    messages = MESSAGES[scale]
    cpu: dict[str, list[float]] = {name: [] for name in WORK}
    calls: dict[str, float] = {}

    def measure(name: str) -> float:
        some = max(2, messages // 10) if name == NAIVE else messages
        server.reset()
        server.control("send", queue=QUEUE, body=BODY, count=some)
        ran = child.run(scale, f"tests.bench.loop:{WORK[name]}", server.environment, messages=some)
        cpu[name].append(ran.cpu / some * 1e6)
        counts = server.told()["counts"].items()
        calls[name] = sum(count for call, count in counts if not call.startswith("Get")) / some * 1000
        return some / ran.seconds

    rates = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in WORK})
    least = {name: min(values) for name, values in cpu.items()}
    return Table(
        f"loop: {messages:,} messages, a handler that does nothing",
        ("way", "messages/s", "× naive", "CPU µs/message", "calls/1,000"),
        [(name, rates[name], rates[name] / rates[NAIVE], least[name], calls[name]) for name in WORK],
        [
            Target("processor time against the bare pair", least[OURS] / least[BARE], "≤", 1.3),
            Target("messages a second against the bare pair", rates[OURS] / rates[BARE], "≥", 1 / 1.3),
            Target("messages a second against the naive loop", rates[OURS] / rates[NAIVE], "≥", 8),
            Target("calls for 1,000 messages", calls[OURS], "≤", 250),
            Target("processor time a message, µs", least[OURS], "≤", 300),
        ],
    )


@contextmanager
def naive(messages: int) -> Iterator[Callable[[], None]]:
    """Receive and delete messages one by one."""
    client, url = _client()

    def work() -> None:
        for _ in range(messages):
            (found,) = client.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
            client.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])

    yield work
    client.close()


@contextmanager
def bare(messages: int) -> Iterator[Callable[[], None]]:
    """Receive and delete ten at a time, in one thread, and read nothing."""
    client, url = _client()

    def work() -> None:
        left = messages
        while left > 0:
            found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
            client.delete_message_batch(QueueUrl=url, Entries=entries)
            left -= len(found)

    yield work
    client.close()


def _client() -> tuple[Any, str]:
    client = sqs.make_client(0, 12)
    return client, client.get_queue_url(QueueName=QUEUE)["QueueUrl"]


@contextmanager
def ours(messages: int) -> Iterator[Callable[[], None]]:
    """Let a worker as in production, with metrics, logs and heartbeats, empty the queue."""
    ended, left = threading.Event(), iter(range(messages - 1))

    def stage(message: PlanBatch, world: World) -> Outcome:
        if next(left, None) is None:
            ended.set()
        return Done()

    client, poller = sqs.make_client(0, 14), sqs.make_client(1, 2)
    worker = _worker(stage, sqs.open_mailbox(client, poller, QUEUE))

    def work() -> None:
        worker.start()
        ended.wait()
        while not worker.deleter.is_empty:
            ended.clear()
            ended.wait(0.002)

    yield work
    drain([worker])
    client.close()
    poller.close()


def _worker(stage: Callable[[PlanBatch, World], Outcome], mailbox: sqs.SqsMailbox) -> Worker:
    clock, chance = SystemClock(), random.Random()
    nowhere: Any = None
    means = Means(
        mailbox,
        Publisher({Queue.SUBMIT: mailbox}, [], chance),
        FakeLeases(FakeClock()),
        lambda hold: nowhere,
        lambda facts: None,
        Metrics(),
        clock,
        chance,
    )
    return Worker(Queue.SUBMIT, {PlanBatch: stage}, means, Pace(8, 120, 1))
