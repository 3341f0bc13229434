"""Consumers forked from a process that has everything loaded: starting one takes a tenth of a second."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

PR_SET_PDEATHSIG = 1
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.e2e.nursery"])


def start(role: str, environment: Mapping[str, str], log: Path) -> BaseProcess:
    """Start a consumer as ``novabatch run`` does; what it says goes to the log."""
    process = _context.Process(target=_consume, args=(role, dict(environment), log), daemon=True)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """Take a consumer away, as a power failure would."""
    process.kill()
    process.join()


def _consume(role: str, environment: Mapping[str, str], log: Path) -> None:
    from daemon.run import run
    from daemon.settings import Role, load

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.exit(run([Role(role)], load()))
