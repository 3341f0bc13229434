"""What a setting means once the parts are put together."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consumers.core.objects import Copy
from daemon.adapters.backoff import Backoff
from daemon.app import App
from daemon.settings import Role, load
from daemon.wiring import Parts, wire
from deploy.local.stack import environment
from tests.aws import OWN_CONFIGURATION
from tests.contracts.local_aws import LocalAws
from tests.http_stub import Reply, Request, serve

ONCE = Backoff(tries=1)
QUEUES = ("submit-requests", "job-state-changes", "cleanup-requests")
WHEN = b"<LastModified>2026-01-05T10:02:14.000Z</LastModified>"
COPIED = b'<CopyObjectResult><ETag>"x"</ETag>' + WHEN + b"</CopyObjectResult>"


class Crowd:
    """A server that answers no copy before as many are under way as there should be."""

    def __init__(self, width: int) -> None:
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(width)

    def answer(self, request: Request) -> Reply:
        assert request.method == "PUT"
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._together.wait(10)
        with self._lock:
            self._inside -= 1
        return Reply(200, COPIED)


@contextmanager
def settings_for(url: str, **settings: str) -> Iterator[None]:
    """Set the environment of a process for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as variables:
        for name in [name for name in os.environ if name.startswith("NOVABATCH_") or name == "AWS_PROFILE"]:
            variables.delenv(name)
        for name, value in {**environment(url), **OWN_CONFIGURATION, **settings}.items():
            variables.setenv(name, value)
        yield


@contextmanager
def parts_for(url: str, **settings: str) -> Iterator[Parts]:
    """Put the parts together as a process would, from its environment."""
    with settings_for(url, **settings):
        parts = Parts(load(), patience=ONCE)
        try:
            yield parts
        finally:
            parts.close()


@pytest.mark.parametrize("width", [3, 7])
def test_as_many_copies_are_under_way_as_copy_concurrency_says(width: int) -> None:
    crowd = Crowd(width)
    wanted = [Copy(n, "media", f"k{n}", "v1", f"copies/{n}", "video/mp4") for n in range(12 * width)]
    with (
        serve(crowd.answer) as stub,
        parts_for(stub.url, NOVABATCH_BUCKET="media", NOVABATCH_COPY_CONCURRENCY=str(width)) as parts,
    ):
        faults = [fault for _, fault in parts.objects.copies(wanted)]
    assert faults == [None] * len(wanted)
    assert crowd.most == width


def test_ready_names_each_thing_a_wired_process_misses_and_live_that_its_loop_stands_still(
    emulator: LocalAws, tmp_path: Path
) -> None:
    """Alone the loop that was never started stands still; queues, database and bucket are asked for real."""
    urls = [
        emulator.sqs.create_queue(QueueName=name)["QueueUrl"]
        for queue in QUEUES
        for name in (f"{queue}-dlq", queue)
    ]
    with settings_for(
        emulator.url,
        NOVABATCH_BUCKET=emulator.bucket,
        NOVABATCH_RECEIVE_WAIT="1",
        NOVABATCH_ROLE_ARN="arn:aws:iam::123456789012:role/r",
        NOVABATCH_DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}",
    ):
        app = wire(load(), [Role.SUBMIT, Role.CLEANUP])
    app.health.keep = 0
    try:
        assert missing(app) == set()
        assert app.health.answer("/live")[0] == 503
        for worker in app.workers:
            worker.poller.turn()
        assert app.health.answer("/live")[0] == 200
        emulator.sqs.delete_queue(QueueUrl=urls[-1])
        emulator.s3.delete_bucket(Bucket=emulator.bucket)
        assert missing(app) == {"queue cleanup", "bucket"}
    finally:
        app.close()


def missing(app: App) -> set[str]:
    return set(json.loads(app.health.answer("/ready")[2])["missing"])
