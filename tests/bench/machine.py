"""Real consumers of ours over the stub, in processes of their own."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from daemon.settings import Role, Settings
from daemon.wiring import wire
from deploy.local import processes, stack
from tests.bench.child import surrounded
from tests.bench.drain import drain
from tests.bench.stub.client import Stub
from tests.bench.stub.s3 import BUCKET
from tests.bench.table import Scale

STARTED = '"event":"started"'


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


RssMb = Callable[[], float]
"""Returns the memory of all processes together, in MB, as it is now (Linux only)."""


@contextmanager
def consumers(
    scale: Scale, roles: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[RssMb]:
    """Run ``novabatch run ROLE`` for each role until the block ends; begins once all have started.

    At the TINY scale they run in this process.
    """
    if scale is Scale.TINY:
        with surrounded(environment), _here(roles):
            yield lambda: _rss_mb(os.getpid())
        return
    children = [
        processes.start(
            f"{role}-{number}", [sys.executable, "-m", "daemon", "run", role], environment, folder
        )
        for number, role in enumerate(roles)
    ]
    try:
        for each in children:
            processes.wait_ready(each, lambda each=each: STARTED in _plain(each.said()))  # type: ignore[misc]
        yield lambda: sum(_rss_mb(each.process.pid) for each in children)
    finally:
        processes.stop(children)


@contextmanager
def _here(roles: Sequence[str]) -> Iterator[None]:
    """Run the consumers of these roles as threads."""
    settings = Settings()
    apps = [wire(settings, [*Role] if role == "all" else [Role(role)]) for role in roles]
    for app in apps:
        app.start()
    try:
        yield
    finally:
        drain([worker for app in apps for worker in app.workers])
        for app in apps:
            app.stop(threading.Event().wait, lambda: False)


def _plain(log: str) -> str:
    return log.replace(" ", "")


def _rss_mb(pid: int) -> float:
    told = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in told.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
