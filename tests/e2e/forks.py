"""Consumers forked from a process that has everything loaded: starting one takes a tenth of a second."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from deploy.local.processes import Child

PR_SET_PDEATHSIG = 1
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.e2e.nursery"])


@dataclass(frozen=True)
class Forked:
    """A forked process, asked as ``subprocess`` is."""

    process: BaseProcess

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.process.name, timeout or 0)
        return self.process.exitcode

    def send_signal(self, sig: int) -> None:
        os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


def launch(name: str, words: Sequence[str], environment: Mapping[str, str], logs: Path) -> Child:
    """Start ``novabatch`` with these words; what it says goes to ``logs/<name>.log``."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name}.log"
    log.touch()
    begins = log.stat().st_size
    return Child(name, Forked(_forked(words, environment, log)), log, begins)


def start(role: str, environment: Mapping[str, str], log: Path) -> BaseProcess:
    """Start a consumer; what it says goes to the log."""
    return _forked(["run", role], environment, log)


def kill(process: BaseProcess) -> None:
    """Take a consumer away, as a power failure would."""
    process.kill()
    process.join()


def _forked(words: Sequence[str], environment: Mapping[str, str], log: Path) -> BaseProcess:
    process = _context.Process(target=_novabatch, args=(list(words), dict(environment), log), daemon=True)
    process.start()
    return process


def _novabatch(words: list[str], environment: Mapping[str, str], log: Path) -> None:
    """Do what ``novabatch`` does, in an environment of its own."""
    from daemon.cli import main

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    main(words, prog_name="novabatch")
