"""Faults of a running machine make their alerts fire on a real Prometheus, and mending them ends it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import processes, stack
from tests.e2e.crowd import steer
from tests.e2e.machine import Machine, machine
from tests.prometheus import Prometheus, watching

WITHIN = 180.0
EXPECTED = {"NovabatchConsumerDown", "NovabatchDeadLetters", "NovabatchModelPaused"}


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_faults_make_their_alerts_fire_within_three_minutes_and_clear_when_mended(
    tmp_path: Path, prometheus: Path
) -> None:
    with (
        machine(tmp_path) as running,
        watching(prometheus, tmp_path / "prometheus", running.local.ports) as server,
    ):
        assert processes.wait_until(lambda: all_answer(server), 60)
        assert not server.firing()
        trouble(running)
        seconds = time_until(lambda: server.firing() >= EXPECTED)
        assert server.firing() >= EXPECTED, server.firing()
        mended = time.monotonic()
        mend(running)
        time_until(lambda: is_well(server))
        assert is_well(server), server.firing()
        cleared = time.monotonic() - mended
        print(f"\n{sorted(EXPECTED)} all fired after {seconds:.0f} s, cleared after {cleared:.0f} s")


def all_answer(server: Prometheus) -> bool:
    """Tell whether all three consumers are scraped and the store's gauges are there."""
    told = server.query("sum(up) and on () novabatch_queue_attributes_age_seconds")
    return [value for _, value in told] == [3.0]


def is_well(server: Prometheus) -> bool:
    """Tell whether the alerts ended although all figures are there: what nobody tells fires nothing."""
    return all_answer(server) and not server.firing() & EXPECTED


def trouble(running: Machine) -> None:
    """Take a consumer away, send what can never work, and have every job fail as a whole."""
    why = "The provided role has no access to the S3 bucket"
    running.local.server.control.add_faults(
        jobs=[{"outcome": "Failed", "state": "Validating", "message": why}]
    )
    running.kill("cleanup")
    running.sqs.send_message(QueueUrl=url(running, stack.SUBMIT_QUEUE), MessageBody="{}")
    running.post("denied", running.originals("denied", 15))


def mend(running: Machine) -> None:
    """Undo it, as the runbook says; the consumer comes back where Prometheus knows it."""
    running.local.server.control.clear_faults()
    running.local.wanted["cleanup"] = running.local.ports["cleanup"]
    running.start("cleanup")
    running.sqs.purge_queue(QueueUrl=url(running, f"{stack.SUBMIT_QUEUE}-dlq"))
    steer(running, "resume")


def url(running: Machine, queue: str) -> str:
    return str(running.sqs.get_queue_url(QueueName=queue)["QueueUrl"])


def time_until(condition: Callable[[], bool]) -> float:
    """Wait for a condition, three minutes at most; returns how long it took."""
    began = time.monotonic()
    processes.wait_until(condition, WITHIN)
    return time.monotonic() - began
