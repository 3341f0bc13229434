"""Everything on this machine: the local AWS, its stack, and the consumers."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from deploy.local import processes, stack
from deploy.local.processes import Child, Server

PREFERRED_PORT = 5555
CONSUMER_PORTS = {"submit": 9100, "job_state": 9101, "cleanup": 9102}


class CannotStartError(Exception):
    """The environment cannot be started, for a reason its user can mend."""


@dataclass
class Local:
    """A running environment."""

    directory: Path
    server: Server
    environment: dict[str, str]
    consumers: dict[str, Child] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def consumer_environment(self, name: str) -> dict[str, str]:
        """Return the whole environment of one consumer's process."""
        port = {"NOVABATCH_HTTP_PORT": str(self.ports[name])} if name in self.ports else {}
        return clean_environment() | self.environment | port


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings that would lead elsewhere."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "NOVABATCH_"))}


def settings(directory: Path, url: str) -> dict[str, str]:
    """Return every AWS and NOVABATCH variable the product needs here."""
    return {
        **stack.environment(url),
        "NOVABATCH_BUCKET": stack.BUCKET,
        "NOVABATCH_ROLE_ARN": stack.ROLE_ARN,
        "NOVABATCH_SUBMIT_QUEUE": stack.SUBMIT_QUEUE,
        "NOVABATCH_STATE_QUEUE": stack.STATE_QUEUE,
        "NOVABATCH_CLEANUP_QUEUE": stack.CLEANUP_QUEUE,
        "NOVABATCH_EVENTS_QUEUE": stack.EVENTS_QUEUE,
        "NOVABATCH_DATABASE_URL": f"sqlite:///{directory.resolve() / 'novabatch.db'}",
    }


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write lines a shell can source."""
    lines = [f"export {name}={_quoted(value)}" for name, value in variables.items()]
    path.write_text("\n".join(lines) + "\n")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


@contextmanager
def running(
    directory: Path, port: int | None = None, *, consumers: bool = True, step_seconds: float = 0.5
) -> Iterator[Local]:
    """Run the environment for as long as the block lasts; every child is stopped at its end."""
    _prepare(directory)
    started: list[Child] = []
    try:
        server = _server(directory, port, step_seconds)
        started.append(server.child)
        stack.create(server.url)
        local = Local(directory, server, settings(directory, server.url))
        write_environment(directory / "env", local.environment)
        if consumers:
            _migrate(local)
            started.extend(start_consumer(local, name) for name in CONSUMER_PORTS)
            for name in CONSUMER_PORTS:
                wait_for_consumer(local, name)
        yield local
    finally:
        processes.stop(reversed(started))


def start_consumer(local: Local, name: str) -> Child:
    """Start one consumer on its usual HTTP port, or on a free one."""
    local.ports[name] = local.ports.get(name) or processes.free_port(CONSUMER_PORTS[name])
    command = [sys.executable, "-m", "daemon", "run", name]
    child = processes.start(name, command, local.consumer_environment(name), local.directory / "logs")
    local.consumers[name] = child
    return child


def wait_for_consumer(local: Local, name: str) -> None:
    """Wait until a consumer says it is ready."""
    url = f"http://{processes.HOST}:{local.ports[name]}/ready"
    processes.wait_ready(local.consumers[name], lambda: processes.answers(url), 60)


def _prepare(directory: Path) -> None:
    try:
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        (directory / "env").touch()
    except OSError as error:
        raise CannotStartError(f"cannot write to {directory}: {error.strerror}") from error


def _server(directory: Path, port: int | None, step_seconds: float) -> Server:
    wanted = processes.free_port(PREFERRED_PORT) if port is None else port
    try:
        return processes.start_server(directory / "logs", wanted, step_seconds)
    except OSError as error:
        raise CannotStartError(f"cannot listen on port {wanted}: {error.strerror}") from error


def _migrate(local: Local) -> None:
    command = [sys.executable, "-m", "daemon", "migrate"]
    child = processes.start(
        "migrate", command, local.consumer_environment("migrate"), local.directory / "logs"
    )
    if child.process.wait():
        raise CannotStartError(f"novabatch migrate failed:\n{child.tail()}")


def run(directory: Path, port: int | None, *, consumers: bool) -> int:
    """Run until Ctrl-C or SIGTERM, or until a child ends by itself; return the exit code."""
    asked_to_stop = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        asked_to_stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)  # a shell starts background jobs with SIGINT ignored
    try:
        with running(directory, port, consumers=consumers) as local:
            _announce(local)
            return _watch(local, asked_to_stop)
    except KeyboardInterrupt:
        return 0
    except (CannotStartError, processes.NotStartedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _announce(local: Local) -> None:
    for name, port in local.ports.items():
        print(f"{name}: http://{processes.HOST}:{port}/metrics")
    print(f"ready: {local.server.url}; source {local.directory.resolve() / 'env'}", flush=True)


def _watch(local: Local, asked_to_stop: threading.Event) -> int:
    children = [local.server.child, *local.consumers.values()]
    while not asked_to_stop.wait(0.5):
        for child in children:
            if child.process.poll() is not None:
                print(f"error: {child.name} ended by itself:\n{child.tail()}", file=sys.stderr)
                return 1
    return 0
