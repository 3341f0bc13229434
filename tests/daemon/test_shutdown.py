"""Real processes, real signals, a real queue: a stop loses nothing and leaves nothing hidden."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from deploy.local.stack import environment
from tests.aws import OWN_CONFIGURATION
from tests.contracts.local_aws import LocalAws, until

ROOT = Path(__file__).parents[2]


@dataclass
class Queue:
    aws: LocalAws
    name: str
    url: str

    def post(self, count: int) -> None:
        for first in range(0, count, 10):
            entries = [
                {"Id": str(n), "MessageBody": json.dumps({"type": "cleanup_chunk", "chunk_id": chunk(n)})}
                for n in range(first, min(count, first + 10))
            ]
            self.aws.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def depth(self, which: str = "") -> int:
        name = f"ApproximateNumberOfMessages{which}"
        found = self.aws.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(found["Attributes"][name])

    def dead(self) -> int:
        url = self.aws.sqs.get_queue_url(QueueName=f"{self.name}-dlq")["QueueUrl"]
        name = "ApproximateNumberOfMessages"
        found = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(found["Attributes"][name])


def chunk(number: int) -> str:
    return f"b{'0' * 20}-{number:03}"


@dataclass
class Process:
    popen: subprocess.Popen[bytes]
    output: Path
    log: Path

    def told(self, word: str) -> list[str]:
        return [line.split()[1] for line in self.output.read_text().splitlines() if line.startswith(word)]

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines() if line[:1] == "{"]

    def wait_for(self, event: str) -> None:
        until(lambda: event in self.events(), 60)

    def wait_to_tell(self, word: str, count: int) -> None:
        until(lambda: len(self.told(word)) >= count, 60)

    def stop(self, seconds: float = 60) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how long it took."""
        began = monotonic()
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds), monotonic() - began


Start = Callable[..., Process]


@pytest.fixture
def queue(emulator: LocalAws) -> Queue:
    dead = emulator.sqs.create_queue(QueueName="under-test-dlq")["QueueUrl"]
    found = emulator.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": 1}
    url = emulator.sqs.create_queue(
        QueueName="under-test", Attributes={"RedrivePolicy": json.dumps(redrive)}
    )["QueueUrl"]
    return Queue(emulator, "under-test", url)


@pytest.fixture
def start(queue: Queue, tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(stage: str, **variables: str) -> Process:
        path = "/usr/bin:/bin"
        aws = {**environment(queue.aws.url), **OWN_CONFIGURATION}
        output, log = tmp_path / f"out-{len(started)}", tmp_path / f"log-{len(started)}"
        with output.open("wb") as out, log.open("wb") as err:
            popen = subprocess.Popen(
                [sys.executable, "-m", "tests.daemon.role", queue.name, stage],
                cwd=ROOT,
                env={"PATH": path, **aws, **variables},
                stdout=out,
                stderr=err,
            )
        started.append(Process(popen, output, log))
        return started[-1]

    yield begin
    for process in started:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait()


def test_a_message_that_comes_into_an_open_poll_after_the_signal_is_not_stranded(
    queue: Queue, start: Start
) -> None:
    """S1: the poll is open, SIGTERM, then the message: visible when the process has ended."""
    process = start("short", WAIT="4")
    process.wait_for("started")
    process.popen.send_signal(signal.SIGTERM)
    process.wait_for("draining")
    queue.post(1)
    assert process.popen.wait(60) == 0
    assert queue.depth("NotVisible") == 0
    assert queue.depth() + len(process.told("ended")) == 1


def test_what_was_begun_is_finished_and_what_was_not_is_left_to_others(queue: Queue, start: Start) -> None:
    """S2, S4, S10: a backlog of 300, every place busy; each delivery reached a handler."""
    queue.post(300)
    process = start("short", DRAIN="60")
    process.wait_to_tell("ended", 30)
    code, seconds = process.stop()
    assert code == 0
    assert seconds < 30
    begun, ended = process.told("begun"), process.told("ended")
    assert begun == sorted(set(begun), key=begun.index)
    assert set(begun) == set(ended)
    assert queue.depth("NotVisible") == 0
    assert queue.depth() == 300 - len(ended)
    assert queue.dead() == 0


def test_restarts_in_the_middle_of_work_send_nothing_to_the_dead_letters(queue: Queue, start: Start) -> None:
    """S3: one receive is allowed; handlers finish, each message is handled once."""
    queue.post(60)
    handled: list[str] = []
    for _ in range(3):
        process = start("long", WAIT="1")
        process.wait_to_tell("begun", 1)
        assert process.stop()[0] == 0
        handled += process.told("ended")
    assert len(handled) == len(set(handled)) >= 3
    assert (queue.dead(), queue.depth("NotVisible")) == (0, 0)
    assert queue.depth() == 60 - len(handled)


def test_what_a_person_wishes_while_a_process_drains_is_still_seen(
    queue: Queue, start: Start, tmp_path: Path
) -> None:
    """S8: a cancel during the drain takes effect, and the message is done with."""
    queue.post(1)
    process = start("asks", DRAIN="60", WAIT="1", FLAG=str(tmp_path / "cancelled"))
    process.wait_to_tell("begun", 1)
    process.popen.send_signal(signal.SIGTERM)
    process.wait_for("draining")
    (tmp_path / "cancelled").touch()
    assert process.popen.wait(60) == 0
    assert len(process.told("ended")) == 1
    assert (queue.depth(), queue.depth("NotVisible"), queue.dead()) == (0, 0, 0)


def test_a_handler_that_listens_is_called_off_before_the_drain_ends(queue: Queue, start: Start) -> None:
    """S5: the message is visible again, and the end is in order."""
    queue.post(3)
    process = start("listens", DRAIN="3", WAIT="1")
    process.wait_to_tell("begun", 3)
    code, seconds = process.stop()
    assert code == 0
    assert seconds < 20
    assert (queue.depth(), queue.depth("NotVisible")) == (3, 0)


def test_a_handler_that_hangs_is_left_behind_and_its_message_made_visible(queue: Queue, start: Start) -> None:
    """S5: exit code, reason in the log, nothing hidden."""
    queue.post(1)
    process = start("hangs", DRAIN="1")
    process.wait_to_tell("begun", 1)
    code, seconds = process.stop()
    assert code == 1
    assert seconds < 20
    assert "handler_hung" in process.events()
    assert (queue.depth(), queue.depth("NotVisible")) == (1, 0)


def test_a_second_signal_ends_it_at_once_and_a_third_does_no_harm(queue: Queue, start: Start) -> None:
    """S5: no deadlock, no traceback."""
    queue.post(1)
    process = start("hangs", DRAIN="60")
    process.wait_to_tell("begun", 1)
    began = monotonic()
    process.popen.send_signal(signal.SIGTERM)
    process.wait_for("draining")
    for _ in range(2):
        if process.popen.poll() is None:
            process.popen.send_signal(signal.SIGINT)
    assert process.popen.wait(60) == 1
    assert monotonic() - began < 30
    assert "Traceback" not in process.log.read_text()
    assert queue.depth("NotVisible") == 0


def test_a_message_is_handled_soon_after_the_endpoint_is_back(queue: Queue, start: Start) -> None:
    """K5: errors of all kinds for a while, then service; no restart."""
    process = start("short", WAIT="1")
    process.wait_for("started")
    fault = {"service": "sqs", "operation": "ReceiveMessage", "code": "ServiceUnavailable", "status": 503}
    queue.aws.control.add_faults(calls=[{**fault, "count": 4}])
    process.wait_for("poll_failed")
    queue.post(1)
    process.wait_to_tell("ended", 1)
    assert process.stop()[0] == 0
    assert process.events().count("poll_failed") == 1
    assert "poll_works_again" in process.events()


def test_a_missing_queue_ends_the_start_with_one_clear_line(emulator: LocalAws, tmp_path: Path) -> None:
    """K7."""
    aws = {**environment(emulator.url), **OWN_CONFIGURATION}
    own = {
        "NOVABATCH_BUCKET": emulator.bucket,
        "NOVABATCH_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
        "NOVABATCH_DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}",
        "NOVABATCH_SUBMIT_QUEUE": "no-such-queue",
    }
    code = "import sys; from daemon import run, settings as s; sys.exit(run.run([s.Role.SUBMIT], s.load()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **aws, **own},
        capture_output=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert json.loads(line)["event"] == "cannot_start"
    assert "no-such-queue" in line
