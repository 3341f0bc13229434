"""Real consumers of ours over the stub, in processes of their own."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import processes, stack
from deploy.local.processes import Child
from tests.bench.stub.client import Stub

BUCKET = "media"
STARTED = '"event":"started"'


@dataclass(frozen=True)
class Consumers:
    """Processes that run, by the order they were named in."""

    children: Sequence[Child]

    def rss_mb(self) -> float:
        """Return the memory of all of them together, in MB, as it is now (Linux only)."""
        return sum(_rss_mb(each.process.pid) for each in self.children)


def settings(server: Stub, folder: Path, **more: str) -> dict[str, str]:
    """Return the variables that a process needs to work on the stub and on a database in the folder."""
    return {
        **os.environ,
        **server.environment,
        "NOVABATCH_DATABASE_URL": f"sqlite:///{folder / 'novabatch.db'}",
        "NOVABATCH_BUCKET": BUCKET,
        "NOVABATCH_ROLE_ARN": stack.ROLE_ARN,
        "NOVABATCH_HTTP_PORT": "0",
        "NOVABATCH_RECEIVE_WAIT": "2",
        "NOVABATCH_DRAIN_SECONDS": "1",
        **more,
    }


@contextmanager
def consumers(roles: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Consumers]:
    """Run ``novabatch run ROLE`` for each role until the block ends; begins once all have started."""
    children = [
        processes.start(
            f"{role}-{number}", [sys.executable, "-m", "daemon", "run", role], environment, folder
        )
        for number, role in enumerate(roles)
    ]
    try:
        for each in children:
            processes.wait_ready(each, lambda each=each: STARTED in _plain(each.said()))  # type: ignore[misc]
        yield Consumers(children)
    finally:
        processes.stop(children)


def _plain(log: str) -> str:
    return log.replace(" ", "")


def _rss_mb(pid: int) -> float:
    told = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in told.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
