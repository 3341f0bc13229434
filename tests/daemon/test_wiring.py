"""What a setting means once the parts are put together."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.core.objects import Copy
from daemon.adapters.backoff import Backoff
from daemon.settings import load
from daemon.wiring import Parts
from deploy.local.stack import environment
from tests.aws import OWN_CONFIGURATION
from tests.http_stub import Reply, Request, serve

ONCE = Backoff(tries=1)
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
def parts_for(url: str, **settings: str) -> Iterator[Parts]:
    """Put the parts together as a process would, from its environment."""
    with pytest.MonkeyPatch.context() as variables:
        for name in [name for name in os.environ if name.startswith("NOVABATCH_") or name == "AWS_PROFILE"]:
            variables.delenv(name)
        for name, value in {**environment(url), **OWN_CONFIGURATION, **settings}.items():
            variables.setenv(name, value)
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
