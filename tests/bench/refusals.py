"""What empties a queue of hostile requests: calls one by one, bare calls for ten, and our worker."""

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from consumers.core.world import World
from consumers.submit import STAGES
from daemon.adapters import sqs
from daemon.adapters.store import SqlStore, make_engine, migrate
from daemon.clock import SystemClock
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.worker import Means, Pace, Worker
from schemas.analyses import REGISTRY
from schemas.models import load_models
from schemas.queues import Queue
from tests.bench.drain import drain
from tests.contracts.planting import changes_of, hold_batch, plant
from tests.daemon.bench import POLICY

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUE, DEAD, EVENTS = "submit-requests", "submit-requests-dlq", "novabatch-events"
MODELS = load_models()
REASON: Any = {
    name: {"DataType": "String", "StringValue": "why it can never work, in a sentence"}
    for name in ("error_code", "error_message")
}
NEWS = json.dumps(
    {"detail-type": "Batch Refused", "detail": {"request_id": "r", "error_message": "why" * 30}}
)


@contextmanager
def naive(messages: int) -> Iterator[Callable[[], None]]:
    """Receive, tell the sender, bury and delete messages one by one; nothing is checked."""
    client = sqs.make_client(0, 2)
    main, dead, events = _urls(client)

    def work() -> None:
        for _ in range(messages):
            (found,) = client.receive_message(QueueUrl=main, MaxNumberOfMessages=1)["Messages"]
            if _names_itself(found["Body"]):
                client.send_message(QueueUrl=events, MessageBody=NEWS)
            client.send_message(QueueUrl=dead, MessageBody=found["Body"], MessageAttributes=REASON)
            client.delete_message(QueueUrl=main, ReceiptHandle=found["ReceiptHandle"])

    yield work
    client.close()


@contextmanager
def bare(messages: int) -> Iterator[Callable[[], None]]:
    """Make the same calls for ten messages at a time, in one thread."""
    client = sqs.make_client(0, 2)
    main, dead, events = _urls(client)

    def send(url: str, entries: Sequence[Mapping[str, Any]]) -> None:
        numbered: Any = [{"Id": str(n), **entry} for n, entry in enumerate(entries)]
        if numbered:
            client.send_message_batch(QueueUrl=url, Entries=numbered)

    def work() -> None:
        left = messages
        while left > 0:
            found = client.receive_message(QueueUrl=main, MaxNumberOfMessages=10)["Messages"]
            send(events, [{"MessageBody": NEWS} for each in found if _names_itself(each["Body"])])
            send(dead, [{"MessageBody": each["Body"], "MessageAttributes": REASON} for each in found])
            entries: Any = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(found)]
            client.delete_message_batch(QueueUrl=main, Entries=entries)
            left -= len(found)

    yield work
    client.close()


def _names_itself(body: str) -> bool:
    return '"request_id": "r"' in body


def _urls(client: "SQSClient") -> tuple[str, str, str]:
    main, dead, events = (client.get_queue_url(QueueName=name)["QueueUrl"] for name in (QUEUE, DEAD, EVENTS))
    return main, dead, events


@contextmanager
def consume(messages: int) -> Iterator[Callable[[], None]]:
    """Let a submit consumer empty the queue, with its real stages over a store of its own."""
    metrics, pause = Metrics(), threading.Event()
    client, poller = sqs.make_client(0, 14), sqs.make_client(1, 2)

    def deleted() -> float:
        found = metrics.registry.get_sample_value(
            "novabatch_consumer_acks_total", {"queue": "submit", "result": "ok"}
        )
        return found or 0.0

    def work() -> None:
        worker.start()
        while deleted() < messages:
            pause.wait(0.002)

    with TemporaryDirectory() as folder:
        store = _store(Path(folder))
        worker = _worker(store, metrics, client, poller)
        yield work
        drain([worker])
        store.engine.dispose()
    client.close()
    poller.close()


def _store(folder: Path) -> SqlStore:
    """Make a store that knows one batch, which has ended."""
    engine = make_engine(f"sqlite:///{folder / 'novabatch.db'}")
    migrate(engine)
    store = SqlStore(engine)
    plant(store, "r")
    held = hold_batch(store, layout.batch_id("r"))
    store.finish_batch(held, changes_of(store, held.id), BatchState.CANCELLED, "", datetime.now(UTC))
    return store


def _worker(store: SqlStore, metrics: Metrics, client: Any, poller: Any) -> Worker:
    clock, chance = SystemClock(), random.Random()
    main, dead, events = _urls(client)
    mailbox = sqs.SqsMailbox(client, main, poller, dead)
    nothing: Any = None

    def world(hold: Hold) -> World:
        return World(
            clock.now(), POLICY, MODELS, REGISTRY, store, nothing, nothing, nothing, hold.take,
            hold.checkpoint,
        )  # fmt: skip

    publisher = Publisher({Queue.SUBMIT: mailbox}, [sqs.SqsOutlet(client, events)], chance)
    means = Means(mailbox, publisher, store, world, lambda facts: None, metrics, clock, chance)
    return Worker(Queue.SUBMIT, STAGES, means, Pace(8, 120, 1))
