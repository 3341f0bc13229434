"""A process with one worker on a queue and stages of its own, for tests with real signals.

``python -m tests.daemon.role QUEUE STAGE``; a message is a ``cleanup_chunk``, and each step of a stage is
printed as one line: ``begun <chunk>``, ``ended <chunk>``.
"""

import os
import random
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from consumers.core.world import Done, Outcome, Policy, World
from daemon import logs
from daemon.adapters import sqs
from daemon.app import App
from daemon.clock import SystemClock
from daemon.health import Health
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.run import finish
from daemon.shutdown import Signals
from daemon.systemd import Systemd
from daemon.worker import Means, Pace, Worker
from schemas.analyses import REGISTRY
from schemas.messages import CleanupChunk
from schemas.models import load_models
from schemas.queues import Queue
from tests.fakes.clock import FakeClock
from tests.fakes.leases import FakeLeases

POLICY = Policy(bucket="b", allowed_buckets=frozenset(), role_arn="", region="")


def tell(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


def short(message: CleanupChunk, world: World) -> Outcome:
    tell("begun", message.chunk_id)
    threading.Event().wait(0.05)
    tell("ended", message.chunk_id)
    return Done()


def long(message: CleanupChunk, world: World) -> Outcome:
    tell("begun", message.chunk_id)
    threading.Event().wait(1.0)
    tell("ended", message.chunk_id)
    return Done()


def listens(message: CleanupChunk, world: World) -> Outcome:
    tell("begun", message.chunk_id)
    while True:
        threading.Event().wait(0.02)
        world.checkpoint()


def asks(message: CleanupChunk, world: World) -> Outcome:
    """Work until somebody says otherwise, as a stage does that looks for a cancel between two files."""
    tell("begun", message.chunk_id)
    while not Path(os.environ["FLAG"]).exists():
        world.checkpoint()
        threading.Event().wait(0.02)
    tell("ended", message.chunk_id)
    return Done()


def hangs(message: CleanupChunk, world: World) -> Outcome:
    tell("begun", message.chunk_id)
    threading.Event().wait()
    return Done()


STAGES: Mapping[str, Callable[[Any, World], Outcome]] = {
    each.__name__: each for each in (short, long, listens, asks, hangs)
}


def make_worker(queue: str, stage: str) -> Worker:
    wait, drain = int(os.environ.get("WAIT", "2")), float(os.environ.get("DRAIN", "20"))
    clock, chance, metrics = SystemClock(), random.Random(), Metrics()
    mailbox = sqs.open_mailbox(sqs.make_client(0, 12), sqs.make_client(min(wait, int(drain)), 2), queue)
    missing: Any = None

    def world(hold: Hold) -> World:
        return World(
            clock.now(), POLICY, load_models(), REGISTRY, missing, missing, missing, missing, hold.take,
            hold.checkpoint,
        )  # fmt: skip

    publisher = Publisher({Queue.CLEANUP: mailbox}, [], chance)
    leases = FakeLeases(FakeClock())
    means = Means(mailbox, publisher, leases, world, lambda facts: None, metrics, clock, chance)
    return Worker(Queue.CLEANUP, {CleanupChunk: STAGES[stage]}, means, Pace(8, 30, min(wait, int(drain))))


def main() -> int:
    logs.configure("info", "json")
    queue, stage = sys.argv[1:]
    with Signals() as signals:
        worker = make_worker(queue, stage)
        clock = SystemClock()
        health = Health(Metrics().registry, dict, {}, clock)
        drain = float(os.environ.get("DRAIN", "20"))
        systemd = Systemd("", 0, clock)
        return finish(App([worker], Metrics(), health, clock, "127.0.0.1", 0, drain, systemd), signals)


if __name__ == "__main__":
    sys.exit(main())
