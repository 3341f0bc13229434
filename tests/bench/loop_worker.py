"""A worker of the real loop over the stub, for benches."""

import random
from collections.abc import Callable
from typing import Any

from consumers.core.world import Outcome, World
from daemon.adapters import sqs
from daemon.clock import SystemClock
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.worker import Means, Pace, Worker
from schemas.messages import PlanBatch
from schemas.queues import Queue
from tests.fakes.clock import FakeClock
from tests.fakes.leases import FakeLeases

QUEUE = "submit-requests"
BODY = PlanBatch(batch_id="b" + "0" * 20).model_dump_json()


def make_worker(stage: Callable[[PlanBatch, World], Outcome], mailbox: sqs.SqsMailbox, pace: Pace) -> Worker:
    """Make a worker as in production, but for its store."""
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
    return Worker(Queue.SUBMIT, {PlanBatch: stage}, means, pace)
