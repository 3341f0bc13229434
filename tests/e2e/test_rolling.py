"""A new version is rolled out while batches flow: each consumer drains and goes, its successor goes on."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local import processes
from tests.e2e.machine import CONSUMERS, QUEUES, Machine, machine
from tests.e2e.shift import Shift

ROUNDS, FILES = 3, 9
# A copy takes longer than its consumer lets it: it is given back in the middle of its work.
DRAIN_SECONDS, COPY_TAKES = "3", 3.0
RECEIVES = 5
"""So often a message may be received before it is a dead letter; installed queues allow twice as many."""


@contextmanager
def shift(folder: Path) -> Iterator[Shift]:
    """Run a machine whose messages may be received a few times only."""
    with machine(folder, start=(), step_seconds=0.05) as running:
        for queue in QUEUES.values():
            allow(running, queue, RECEIVES)
        at_work = Shift(running, folder, {"submit": DRAIN_SECONDS})
        try:
            at_work.start(*CONSUMERS)
            yield at_work
        finally:
            at_work.kill()


def allow(running: Machine, queue: str, receives: int) -> None:
    """Let a message of a queue be received so often."""
    url = running.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    told = running.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(told["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": receives}
    running.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})


def copies_begun(running: Machine) -> int:
    """Count the slow copies that were begun."""
    return sum(fault["hits"] for fault in running.local.server.control.faults()["calls"])


@pytest.mark.timeout(120)
def test_a_rolling_deploy_loses_nothing_buys_nothing_twice_and_counts_nothing_as_a_failure(
    tmp_path: Path,
) -> None:
    with shift(tmp_path) as consumers:
        running = consumers.running
        batches = []
        for number in range(ROUNDS):
            label = f"roll{number}"
            slow = {"service": "s3", "operation": "CopyObject", "latency": COPY_TAKES, "count": 1}
            running.local.server.control.add_faults(calls=[slow])
            batches.append(running.post(label, running.originals(label, FILES)))
            assert processes.wait_until(lambda begun=number + 1: copies_begun(running) == begun, 30)  # type: ignore[misc]
            consumers.replace("submit", beside=False)
            for role in ("job_state", "cleanup"):
                consumers.replace(role, beside=True)
        running.wait_for_end(batches, 60)
        for batch_id in batches:
            lines = running.results(batch_id)
            assert [line["outcome"] for line in lines] == ["SUCCEEDED"] * (5 * FILES)
            assert set(running.sent(batch_id).values()) == {1}
            assert len(running.jobs(batch_id)) == len(running.store.chunk_ids(batch_id))
        assert processes.wait_until(lambda: running.is_drained(*QUEUES.values()) and running.is_clean(), 30)
        assert [running.dead_letters(queue) for queue in QUEUES.values()] == [0, 0, 0]
        for role in CONSUMERS:
            consumers.at_work[role].stop()
    members = [*consumers.gone, *consumers.at_work.values()]
    outcomes = sum((member.outcomes() for member in members), Counter[str]())
    assert outcomes["released"] > 0
    assert outcomes.keys() <= {"success", "duplicate", "released"}
    assert [line for member in members for line in member.lines() if line["level"] != "info"] == []
