"""Kill -9 at any instant, lost events: the same results, and exactly as many Bedrock jobs."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from deploy.local import processes, stack
from tests.e2e import forks
from tests.e2e.machine import CONSUMERS, QUEUES, Machine, machine

FILES = 9
TYPES = ["summary", "chapters"]
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


@dataclass
class Crew:
    """One consumer of each role, killed and followed by the next of its kind."""

    running: Machine
    logs: Path
    members: dict[str, BaseProcess] = field(default_factory=dict)

    def start(self, role: str) -> None:
        """Start a consumer and wait until it begins to receive."""
        environment = self.running.local.consumer_environment()
        environment |= {"AWS_ACCESS_KEY_ID": f"victim-{role}", "NOVABATCH_HTTP_PORT": "0"}
        before = self.polls(role)
        self.members[role] = forks.start(role, environment, self.logs / f"{role}.log")
        assert processes.wait_until(lambda: self.polls(role) > before, 60)

    def kill(self, role: str) -> bool:
        """Take a consumer away; tell whether it had a message in hand."""
        forks.kill(self.members[role])
        return self.running.in_flight(QUEUES[role]) > 0

    def polls(self, role: str) -> int:
        """Count how often consumers of a role have asked for messages."""
        calls = self.running.local.server.control.calls_of(f"victim-{role}")
        return int(calls["made"].get("ReceiveMessage", 0))


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    """Run a machine whose consumers are killed at the end, too."""
    with machine(folder, start=()) as running:
        make_trouble(running)
        members = Crew(running, folder)
        try:
            for role in CONSUMERS:
                members.start(role)
            yield members
        finally:
            for process in members.members.values():
                forks.kill(process)


@pytest.mark.parametrize(
    ("times", "at_work"),
    [(4, 1), pytest.param(20, 3, marks=[pytest.mark.endurance, pytest.mark.timeout(900)])],
)
def test_consumers_killed_at_random_instants_lose_nothing_and_buy_nothing_twice(
    tmp_path: Path, times: int, at_work: int
) -> None:
    """Each role is killed so often, or more often until so many of the kills met a message in hand."""
    chance = random.Random(times)
    kills: Counter[str] = Counter()
    struck: Counter[str] = Counter()
    with crew(tmp_path) as consumers:
        running = consumers.running
        batches: list[str] = []
        while victims := [role for role in CONSUMERS if kills[role] < times or struck[role] < at_work]:
            if not batches or running.ended(batches[-1]):
                files = running.originals(f"run{kills.total()}", FILES)
                batches.append(running.post(f"run{kills.total()}", files, analysis_types=TYPES))
            for victim in victims:
                processes.wait_until(lambda: False, chance.uniform(0.0, LONGEST_LIFE))
                struck[victim] += consumers.kill(victim)
                kills[victim] += 1
                consumers.start(victim)
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
            environment = running.local.consumer_environment()
            child = forks.launch("reconcile", ["reconcile"], environment, tmp_path / "logs")
            assert child.process.wait(60) == 0, child.tail()
            return running.ended(batch_id)

        assert processes.wait_until(ended_after_a_pass, 120)
        check(running, batch_id)
        assert running.dead_letters(stack.STATE_QUEUE) == 0
