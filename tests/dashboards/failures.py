"""Five failures to name from the dashboards alone, each switched on in a machine that has been well."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import processes, stack
from tests.e2e.machine import Machine, machine
from tests.prometheus import Prometheus, watching

SLOTS = 4
SETTINGS = {
    "NOVABATCH_SLOTS": str(SLOTS),
    "NOVABATCH_RECONCILE_INTERVAL": "5",
    "NOVABATCH_BUDGET_USD_PER_DAY": "50",
}
RUN_SECONDS = 6.0
EVERY = 8.0  # seconds between two requests
FILES = 4
WELL, ILL = 60.0, 170.0
POISON = (
    "{}",
    "not JSON at all",
    json.dumps({"request_id": "x", "model": "no-such-model", "files": [{"file_id": 1, "s3_key": "a.mov"}]}),
    json.dumps({"request_id": "y", "model": "nova-2-lite", "files": []}),
)


def kill_a_consumer(running: Machine) -> None:
    running.kill("submit")


def throttle_bedrock(running: Machine) -> None:
    running.local.server.control.add_faults(calls=[{"service": "bedrock", "code": "ThrottlingException"}])


def poison_the_queue(running: Machine) -> None:
    url = running.sqs.get_queue_url(QueueName=stack.SUBMIT_QUEUE)["QueueUrl"]
    for body in POISON * 10:
        running.sqs.send_message(QueueUrl=url, MessageBody=body)


def fill_the_slots(running: Machine) -> None:
    running.local.server.control.set(run_seconds=3600)


def lose_the_events(running: Machine) -> None:
    running.local.server.control.add_faults(events={"drop_events": 1.0})


FAILURES: Mapping[str, Callable[[Machine], None]] = {
    "dead-consumer": kill_a_consumer,
    "throttled-bedrock": throttle_bedrock,
    "poisoned-queue": poison_the_queue,
    "full-slots": fill_the_slots,
    "lost-events": lose_the_events,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a Prometheus saw of a machine between two moments (Unix seconds)."""

    server: Prometheus
    running: Machine
    begin: float
    end: float


@contextmanager
def failing(
    program: Path, folder: Path, failure: Callable[[Machine], None], well: float = WELL, ill: float = ILL
) -> Iterator[Seen]:
    """Run a machine under traffic, well for a while and then failing; times in seconds."""
    with (
        machine(folder, step_seconds=0.3, **SETTINGS) as running,
        watching(program, folder / "prometheus", running.local.ports) as server,
    ):
        running.local.server.control.set(run_seconds=RUN_SECONDS, run_spread=0.3)
        begin = time.time()
        post_for(running, well, "well")
        failure(running)
        post_for(running, ill, "ill")
        yield Seen(server, running, begin, time.time())


def post_for(running: Machine, seconds: float, label: str) -> None:
    """Post a request every few seconds."""
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        files = running.originals(f"{label}-{number}", FILES)
        running.post(f"{label}-{number}", files)
        number += 1
        processes.wait_until(lambda: time.monotonic() >= until, min(EVERY, seconds))
