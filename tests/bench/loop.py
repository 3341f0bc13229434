"""The message loop without any work: what a message costs beside bare calls to SQS and a usual consumer."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from consumers.core.world import Done, Outcome, World
from daemon.adapters import sqs
from daemon.worker import Pace
from schemas.messages import PlanBatch
from tests.bench import child
from tests.bench.drain import drain
from tests.bench.loop_blocked import blocked_table
from tests.bench.loop_waiting import waiting_table
from tests.bench.loop_worker import BODY, QUEUE, make_worker
from tests.bench.rounds import interleaved
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target

MESSAGES = {Scale.TINY: 20, Scale.SHORT: 4000, Scale.FULL: 10_000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, BARE, OURS = "receive one, delete one", "bare receive(10) + delete_batch(10)", "our worker, 10 places"
PEER, EIGHT = "stand-in for a peer: receive(10), 8 threads, delete one", "our worker, 8 places (the default)"
WORK = {NAIVE: "naive", PEER: "peer", BARE: "bare", OURS: "ours", EIGHT: "ours_by_default"}
BARE_ANCHOR = 182  # µs of processor time a message of the bare pair where the target of 300 was set
EACH = "it counts, logs and beats for each message, which bare calls do not"


def tables(scale: Scale) -> Iterator[Table]:
    """Empty a queue in four ways; then what slow messages hold up, and what the loop costs when it waits."""
    with stub(scale) as server:
        yield _table(server, scale)
        yield blocked_table(server, scale)
        yield waiting_table(server, scale)


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
            Target("processor time against the bare pair", least[OURS] / least[BARE], "≤", 1.3, EACH),
            Target("messages a second against the bare pair", rates[OURS] / rates[BARE], "≥", 1 / 1.3, EACH),
            Target("messages a second against the naive loop", rates[OURS] / rates[NAIVE], "≥", 8, EACH),
            Target("messages a second against the stand-in for a peer", rates[OURS] / rates[PEER], "≥", 2),
            Target("calls for 1,000 messages", calls[OURS], "≤", 250),
            Target(
                f"µs of processor time a message, where the bare pair takes {BARE_ANCHOR}",
                least[OURS] / least[BARE] * BARE_ANCHOR,
                "≤",
                300,
                EACH,
            ),
        ],
        "Peers of Python (taskiq, dramatiq, celery) delete one by one from threads; they are in no lock of "
        "ours. The stand-in makes their calls and does nothing else, so it is no slower than any of them.",
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
def peer(messages: int) -> Iterator[Callable[[], None]]:
    """Receive ten, hand them to eight threads, each of which deletes its message."""
    client, url = _client()

    def done_with(receipt: str) -> None:
        client.delete_message(QueueUrl=url, ReceiptHandle=receipt)

    def work() -> None:
        left = messages
        while left > 0:
            found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
            left -= len(found)
            list(threads.map(done_with, [message["ReceiptHandle"] for message in found]))

    with ThreadPoolExecutor(8) as threads:
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


def ours(messages: int) -> AbstractContextManager[Callable[[], None]]:
    """Let a worker with as many places as a receive brings messages empty the queue."""
    return _worker(messages, 10)


def ours_by_default(messages: int) -> AbstractContextManager[Callable[[], None]]:
    """Let a worker with the places of the settings do it: each receive brings eight."""
    return _worker(messages, 8)


@contextmanager
def _worker(messages: int, places: int) -> Iterator[Callable[[], None]]:
    """Let a worker as in production, with metrics, logs and heartbeats, empty the queue."""
    ended, left = threading.Event(), iter(range(messages - 1))

    def stage(message: PlanBatch, world: World) -> Outcome:
        if next(left, None) is None:
            ended.set()
        return Done()

    client, poller = sqs.make_client(0, 14), sqs.make_client(1, 2)
    worker = make_worker(stage, sqs.open_mailbox(client, poller, QUEUE), Pace(places, 120, 1))

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
