"""Child processes: started, waited for until ready, stopped, and never left behind."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local.control import Control

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1
LOOK_EVERY = 0.05
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class NotStartedError(RuntimeError):
    """A process did not come up."""


class Process(Protocol):
    """What is asked of a process: as `subprocess` has it, whoever started it."""

    @property
    def pid(self) -> int: ...  # noqa: D102
    @property
    def returncode(self) -> int | None: ...  # noqa: D102
    def poll(self) -> int | None: ...  # noqa: D102
    def wait(self, timeout: float | None = None) -> int: ...  # noqa: D102
    def send_signal(self, sig: int) -> None: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Child:
    """A process this one started."""

    name: str
    process: Process
    log: Path
    log_begins: int = 0

    def said(self) -> str:
        """Return what it has logged; a log is shared with earlier processes of the same name."""
        with self.log.open("rb") as log:
            log.seek(self.log_begins)
            return log.read().decode(errors="replace")

    def tail(self, lines: int = 20) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").split("\n")[-lines - 1 :])


@dataclass(frozen=True)
class Server:
    """A running local AWS."""

    url: str
    child: Child

    @property
    def control(self) -> Control:
        """The client of its /_local paths."""
        return Control(self.url)


def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path, fds: Sequence[int] = ()
) -> Child:
    """Start a process whose output goes to `logs/<name>.log` and which dies with this one.

    Call it from the main thread: Linux ties a child's death signal to the thread that started it.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        begins = output.tell()
        process = subprocess.Popen(
            command,
            env={**environment, "PYTHONPATH": _python_path(environment)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=fds,
            start_new_session=True,
            preexec_fn=_die_with_parent if LIBC else None,  # noqa: PLW1509  # it only calls prctl
        )
    return Child(name, process, log, begins)


def start_novabatch(name: str, words: Sequence[str], environment: Mapping[str, str], logs: Path) -> Child:
    """Start `novabatch` with these words, as its user does."""
    return start(name, [sys.executable, "-m", "daemon", *words], environment, logs)


def _python_path(environment: Mapping[str, str]) -> str:
    """Let a child import this repository's packages from any working directory."""
    return os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))


def _die_with_parent() -> None:
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look at a condition until it holds or the time is over; return whether it holds."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        pause.wait(LOOK_EVERY)
    return True


def wait_ready(child: Child, is_ready: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a child is ready; say what its log says when it ended or took too long."""
    ready = wait_until(lambda: child.process.poll() is not None or is_ready(), seconds)
    if child.process.poll() is not None:
        raise NotStartedError(
            f"{child.name} ended with exit code {child.process.returncode}:\n{child.tail()}"
        )
    if not ready:
        raise NotStartedError(f"{child.name} was not ready after {seconds} s:\n{child.tail()}")


def answers(url: str) -> bool:
    """Tell whether an HTTP GET is answered with 200."""
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def stop(children: Iterable[Child], seconds: float = 10) -> None:
    """Ask every child to end, by its id; kill what has not ended in time."""
    living = [child for child in children if child.process.poll() is None]
    for child in living:
        child.process.terminate()
    deadline = time.monotonic() + seconds
    for child in living:
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on the loopback interface; port 0 takes a free one."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
    except OSError:
        taken.close()
        raise
    taken.listen(128)
    return taken


def free_port(preferred: int = 0) -> int:
    """Return the preferred port when it is free, else any free one."""
    try:
        with listen(preferred) as taken:
            return int(taken.getsockname()[1])
    except OSError:
        return free_port()


def start_server(logs: Path, port: int = 0, step_seconds: float = 0.2) -> Server:
    """Start the local AWS and wait until it answers."""
    with listen(port) as taken:
        # The listening socket is handed over, so that no other process can take the port in between.
        command = [sys.executable, "-m", "deploy.local.server", "--fd", str(taken.fileno())]
        command += ["--step-seconds", str(step_seconds)]
        child = start("aws", command, os.environ, logs, fds=[taken.fileno()])
        url = f"http://{HOST}:{taken.getsockname()[1]}"
    server = Server(url, child)
    try:
        wait_ready(child, server.control.is_ready)
    except NotStartedError:
        stop([child])
        raise
    return server
