"""The submit consumer under hostile requests: what one costs beside a message that is simply ignored."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
from tests.bench import child
from tests.bench.drain import drain
from tests.bench.rounds import interleaved
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target
from tests.contracts.planting import changes_of, hold_batch, plant
from tests.daemon.bench import POLICY
from tests.stages.hostile import HOSTILE

QUEUE, DEAD, EVENTS = "submit-requests", "submit-requests-dlq", "novabatch-events"
MESSAGES = {Scale.TINY: 10, Scale.SHORT: 2000, Scale.FULL: 10_000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
LARGE = 10_000
MODELS = load_models()
IGNORED = "ignored: a cancel of a batch that has ended"
SOME = "one in ten hostile"
ALL = "all hostile"
SHARE = {IGNORED: 0, SOME: 10, ALL: 1}


def tables(scale: Scale) -> Iterator[Table]:
    """Empty a queue of messages that are ignored, of hostile ones, and of both."""
    with stub(scale) as server:
        yield _table(server, scale, MESSAGES[scale])


def _table(server: Stub, scale: Scale, messages: int) -> Table:
    cpu: dict[str, list[float]] = {name: [] for name in SHARE}

    def measure(name: str) -> float:
        server.reset()
        for body in _bodies(messages, SHARE[name]):
            server.control("send", queue=QUEUE, body=body, count=1)
        ran = child.run(scale, "tests.bench.hostile:consume", server.environment, messages=messages)
        cpu[name].append(ran.cpu / messages * 1e6)
        return ran.seconds / messages * 1e6

    found = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in SHARE})
    return Table(
        f"hostile requests: {messages:,} messages in the submit queue",
        ("messages", "µs/message", "× ignored", "CPU µs/message"),
        [(name, found[name], found[name] / found[IGNORED], min(cpu[name])) for name in SHARE],
        [Target("time a message with one in ten hostile, × ignored", found[SOME] / found[IGNORED], "≤", 1.5),
         Target("time a hostile message, × ignored", found[ALL] / found[IGNORED], "≤", 1.5)],
    )  # fmt: skip


def _bodies(messages: int, every: int) -> Iterator[str]:
    hostile = cycle(each.body for each in HOSTILE.values() if len(each.body) < LARGE and "{" in each.body)
    ignored = json.dumps({"type": "cancel_batch", "request_id": "r"})
    return (next(hostile) if every and not n % every else ignored for n in range(messages))


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
    main, dead, events = (client.get_queue_url(QueueName=name)["QueueUrl"] for name in (QUEUE, DEAD, EVENTS))
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
