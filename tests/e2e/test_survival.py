"""Kill -9 at any instant, lost events: the same results, and exactly as many Bedrock jobs."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from deploy.local import processes, stack
from tests.e2e import forks
from tests.e2e.machine import CONSUMERS, QUEUES, Machine, machine

FILES = 9
TYPES = ["summary", "chapters"]
VICTIM = "victim"
KILLS = 20
# How many of the kills must strike a process that has a message in hand; there are more kills until they do.
LEAST_AT_WORK = 3
LONGEST_LIFE = 0.8
# Nine files in chunks of three, and one more chunk for the records that fail once.
JOBS_A_BATCH = 4


def make_trouble(running: Machine) -> None:
    """Let one record of each batch fail once, and S3 and Bedrock take their time."""
    running.local.server.control.add_faults(
        records=[{"record": "^file-.*-2:summary$", "action": "error", "code": 503, "attempts": 1}],
        calls=[
            {"service": "s3", "operation": "CopyObject", "latency": 0.2},
            {"service": "s3", "operation": "GetObject", "latency": 0.1},
            {"service": "s3", "operation": "DeleteObjects", "latency": 0.3},
            {"service": "bedrock", "operation": "CreateModelInvocationJob", "latency": 0.2},
        ],
    )


def check(running: Machine, batch_id: str) -> None:
    """Compare a batch with what an undisturbed run gives."""
    files = [file["file_id"] for file in running.posted[batch_id]]
    expected = {(file_id, kind): "SUCCEEDED" for file_id in files for kind in TYPES}
    lines = running.results(batch_id)
    assert {(line["file_id"], line["analysis_type"]): line["outcome"] for line in lines} == expected
    assert len(lines) == len(expected)
    sent = running.sent(batch_id)
    twice = {record_id for record_id, times in sent.items() if times > 1}
    assert twice == {f"file-{files[1]}:summary"}
    assert set(sent.values()) == {1, 2}
    assert len(running.jobs(batch_id)) == len(running.store.chunk_ids(batch_id)) == JOBS_A_BATCH


@contextmanager
def consumer(running: Machine, role: str, log: Path) -> Iterator[BaseProcess]:
    """Run a consumer, from the time it begins to receive; it is killed at the end of the block."""
    environment = running.local.consumer_environment()
    environment |= {"AWS_ACCESS_KEY_ID": VICTIM, "NOVABATCH_HTTP_PORT": "0"}
    before = polls(running)
    process = forks.start(role, environment, log)
    try:
        assert processes.wait_until(lambda: polls(running) > before, 60)
        yield process
    finally:
        forks.kill(process)


def polls(running: Machine) -> int:
    """Count how often the victims have asked for messages."""
    return int(running.local.server.control.calls_of(VICTIM)["made"].get("ReceiveMessage", 0))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("victim", CONSUMERS)
def test_a_consumer_killed_at_twenty_random_instants_loses_nothing_and_buys_nothing_twice(
    tmp_path: Path, victim: str
) -> None:
    chance = random.Random(victim)
    with machine(tmp_path, start=[name for name in CONSUMERS if name != victim]) as running:
        make_trouble(running)
        batches: list[str] = []
        kills = at_work = 0
        while kills < KILLS or at_work < LEAST_AT_WORK:
            if not batches or running.ended(batches[-1]):
                files = running.originals(f"run{kills}", FILES)
                batches.append(running.post(f"run{kills}", files, analysis_types=TYPES))
            with consumer(running, victim, tmp_path / "victim.log"):
                processes.wait_until(lambda: False, chance.uniform(0.0, LONGEST_LIFE))
            kills += 1
            at_work += running.in_flight(QUEUES[victim]) > 0
        with consumer(running, victim, tmp_path / "victim.log"):
            running.wait_for_end(batches, 90)
            for batch_id in batches:
                check(running, batch_id)
            assert processes.wait_until(running.is_clean, 60)


@pytest.mark.timeout(240)
def test_without_a_single_event_reconcile_brings_every_batch_to_its_end(tmp_path: Path) -> None:
    with machine(tmp_path, NOVABATCH_RECONCILE_INTERVAL="3600") as running:
        running.local.server.control.add_faults(events={"drop_events": 1.0})
        make_trouble(running)
        batch_id = running.post("deaf", running.originals("deaf", FILES), analysis_types=TYPES)

        def ended_after_a_pass() -> bool:
            command = [sys.executable, "-m", "daemon", "reconcile"]
            child = processes.start(
                "reconcile", command, running.local.consumer_environment(), tmp_path / "logs"
            )
            assert child.process.wait(60) == 0, child.tail()
            return running.ended(batch_id)

        assert processes.wait_until(ended_after_a_pass, 120)
        check(running, batch_id)
        assert running.dead_letters(stack.STATE_QUEUE) == 0
