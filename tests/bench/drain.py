"""Stopping workers that run in this process."""

import os
import threading
from collections.abc import Sequence

from daemon.clock import SystemClock
from daemon.loop.draining import Drain
from daemon.worker import Worker
from tests.bench.stub.client import Stub


def drain(workers: Sequence[Worker]) -> None:
    """Stop workers on the stub, without waiting for their polls to end by themselves."""
    for worker in workers:
        worker.stop.set()
    Stub(os.environ["AWS_ENDPOINT_URL"]).control("end_polls")
    Drain(workers, 10, SystemClock(), threading.Event().wait, lambda: False).run()
