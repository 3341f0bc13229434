"""A piece of a bench in a fresh process, with the processor time and memory that it took.

``python -m tests.bench.child MODULE:FUNCTION ARGUMENTS`` calls the function, which returns the work to be
measured (or a context that gives it), does that, and prints as JSON what it returned.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from deploy.local.processes import ROOT
from tests.bench.table import Scale


@dataclass(frozen=True, slots=True)
class Ran:
    """What a child returned; seconds of the work itself, and what it took: processor seconds, peak MB."""

    value: Any
    seconds: float
    cpu: float
    rss_mb: float


STATUS = Path("/proc/self/status")
Join = Callable[[], Ran]
"""Waits for what a child returns."""


def start(scale: Scale, work: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Join:
    """Start ``module:function(**arguments)`` in a process of its own; at the TINY scale do it here, now."""
    if scale is Scale.TINY:
        with surrounded(environment or {}):
            ran = _run(work, arguments)
        return lambda: ran
    variables = {**os.environ, **(environment or {})}
    command = [sys.executable, "-m", "tests.bench.child", work, json.dumps(arguments)]
    log = TemporaryFile("w+")  # noqa: SIM115 - open until the child has ended
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=variables
    )

    def join() -> Ran:
        told, _ = process.communicate()
        with log:
            if process.returncode:
                log.seek(0)
                raise RuntimeError(f"{command} ended with {process.returncode}: {log.read()[-2000:]}")
        return Ran(**json.loads(told.splitlines()[-1]))

    return join


def run(scale: Scale, work: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Ran:
    """Run it and wait."""
    return start(scale, work, environment, **arguments)()


@contextmanager
def surrounded(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this process itself have these variables until the block ends."""
    from pytest import MonkeyPatch

    with MonkeyPatch.context() as variables:
        variables.delenv("AWS_PROFILE", raising=False)
        for name, value in environment.items():
            variables.setenv(name, value)
        yield


def peak_mb() -> float:
    """Return the peak memory of this process so far, in MB.

    The kernel's resource usage of a child begins with what its parent had when it forked: not asked, where
    /proc tells better.
    """
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run(work: str, arguments: Mapping[str, Any]) -> Ran:
    module, _, name = work.partition(":")
    made = getattr(importlib.import_module(module), name)(**arguments)
    with made if isinstance(made, AbstractContextManager) else nullcontext(made) as work_to_do:
        began, cpu = time.perf_counter(), time.process_time()
        value = work_to_do()
        return Ran(value, time.perf_counter() - began, time.process_time() - cpu, peak_mb())


if __name__ == "__main__":
    from daemon import logs

    logs.configure("info", "json")
    print(json.dumps(asdict(_run(sys.argv[1], json.loads(sys.argv[2])))))
