"""Everything on this machine: the local AWS, its stack, and the consumers."""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType

from deploy.local import processes, stack
from deploy.local.processes import Child, Server

PREFERRED_PORT = 5555
LISTENS = re.compile(r"^.*http_listening.*$", re.MULTILINE)
PORT = re.compile(r"port\W+([0-9]+)")
IN_USE = "Address already in use"
CONSUMER_PORTS = {"submit": 9100, "job_state": 9101, "cleanup": 9102}
Launch = Callable[[str, Sequence[str], Mapping[str, str], Path], Child]
"""Starts a process of the product: its name, the words of its command, environment, folder of logs."""


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
    wanted: dict[str, int] = field(default_factory=lambda: dict(CONSUMER_PORTS))
    launch: Launch = processes.start_novabatch

    def consumer_environment(self) -> dict[str, str]:
        """Return the whole environment of a process of the product."""
        return clean_environment() | self.environment


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
        # A stop waits for the open poll: short ones cost nothing here.
        "NOVABATCH_RECEIVE_WAIT": "2",
    }


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write lines a shell can source."""
    lines = [f"export {name}={_quoted(value)}" for name, value in variables.items()]
    path.write_text("\n".join(lines) + "\n")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


@contextmanager
def running(
    directory: Path,
    port: int | None = None,
    *,
    consumers: bool = True,
    step_seconds: float = 0.5,
    more: Mapping[str, str] = MappingProxyType({}),
    launch: Launch = processes.start_novabatch,
) -> Iterator[Local]:
    """Run the environment, with ``more`` settings, for as long as the block lasts.

    Every child is stopped at its end.
    """
    _prepare(directory)
    started: list[Child] = []
    local: Local | None = None
    try:
        server = _server(directory, port, step_seconds)
        started.append(server.child)
        stack.create(server.url)
        local = Local(directory, server, {**settings(directory, server.url), **more}, launch=launch)
        write_environment(directory / "env", local.environment)
        _migrate(local)
        if consumers:
            for name in CONSUMER_PORTS:
                start_consumer(local, name)
            for name in CONSUMER_PORTS:
                wait_for_consumer(local, name)
        yield local
    finally:
        # The consumers first: what they drain still needs the AWS they work with.
        processes.stop(local.consumers.values() if local else ())
        processes.stop(started)


def start_consumer(local: Local, name: str) -> Child:
    """Start one consumer on its wanted HTTP port, or on any free one."""
    wanted = local.wanted[name]
    port = wanted if wanted and processes.free_port(wanted) == wanted else 0
    environment = local.consumer_environment() | {
        "NOVABATCH_HTTP_PORT": str(port),
        "AWS_ACCESS_KEY_ID": stack.caller(name),
    }
    child = local.launch(name, ["run", name], environment, local.directory / "logs")
    local.consumers[name] = child
    return child


def wait_for_consumer(local: Local, name: str) -> None:
    """Wait until a consumer listens, by its own word, and says it is ready."""
    try:
        local.ports[name] = _listening(local.consumers[name])
    except processes.NotStartedError as error:
        if IN_USE not in str(error):
            raise
        # Another environment was faster; ask for any port.
        local.wanted[name] = 0
        start_consumer(local, name)
        local.ports[name] = _listening(local.consumers[name])
    url = f"http://{processes.HOST}:{local.ports[name]}/ready"
    processes.wait_ready(local.consumers[name], lambda: processes.answers(url), 60)


def _listening(child: Child) -> int:
    """Return the port a consumer listens on, once it says so."""
    processes.wait_ready(child, lambda: _port_said(child) is not None, 60)
    return _port_said(child) or 0


def _port_said(child: Child) -> int | None:
    line = LISTENS.search(child.said())
    found = PORT.search(line[0]) if line else None
    return int(found[1]) if found else None


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
    child = local.launch("migrate", ["migrate"], local.consumer_environment(), local.directory / "logs")
    if child.process.wait():
        raise CannotStartError(f"novabatch migrate failed:\n{child.tail()}")


@dataclass(frozen=True, slots=True)
class Guest:
    """What runs beside the environment, and the lines that announce it."""

    child: Child
    lines: Sequence[str]


Beside = Callable[[Local], AbstractContextManager[Guest]]


def run(directory: Path, port: int | None, *beside: Beside, consumers: bool) -> int:
    """Run until Ctrl-C or SIGTERM, or until a child ends by itself; return the exit code."""
    asked_to_stop = threading.Event()

    def stop(_: int, __: FrameType | None) -> None:
        asked_to_stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)  # a shell starts background jobs with SIGINT ignored
    try:
        with running(directory, port, consumers=consumers) as local, ExitStack() as more:
            guests = [more.enter_context(each(local)) for each in beside]
            _announce(local, guests)
            return _watch(local, guests, asked_to_stop)
    except KeyboardInterrupt:
        return 0
    except (CannotStartError, processes.NotStartedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _announce(local: Local, guests: Sequence[Guest]) -> None:
    for name, port in local.ports.items():
        print(f"{name}: http://{processes.HOST}:{port}/metrics")
    for line in (line for guest in guests for line in guest.lines):
        print(line)
    print(f"ready: {local.server.url}; source {_quoted(str(local.directory.resolve() / 'env'))}", flush=True)


def _watch(local: Local, guests: Sequence[Guest], asked_to_stop: threading.Event) -> int:
    children = [local.server.child, *local.consumers.values(), *(guest.child for guest in guests)]
    while not asked_to_stop.wait(0.5):
        for child in children:
            if child.process.poll() is not None:
                print(f"error: {child.name} ended by itself:\n{child.tail()}", file=sys.stderr)
                return 1
    return 0
