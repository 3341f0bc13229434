"""A piece of a bench in a fresh process, with the processor time and memory that it took.

``python -m tests.bench.child MODULE:FUNCTION ARGUMENTS`` prints what the function returned, as JSON.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.local.processes import ROOT


@dataclass(frozen=True, slots=True)
class Ran:
    """What a child returned; seconds of the work itself, and what it took: processor seconds, peak MB."""

    value: Any
    seconds: float
    cpu: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Child:
    """A child that runs."""

    process: "subprocess.Popen[str]"

    def join(self) -> Ran:
        """Wait for what it returns."""
        told, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode}")
        return Ran(**json.loads(told.splitlines()[-1]))


def start(work: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Child:
    """Start ``module:function(**arguments)`` in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.child", work, json.dumps(arguments)]
    variables = {**os.environ, **(environment or {})}
    return Child(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables))


def run(work: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Ran:
    """Run it and wait."""
    return start(work, environment, **arguments).join()


def peak_mb() -> float:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run what the command line names.

    A function may return a second function: then only that one is measured.
    """
    module, _, name = sys.argv[1].partition(":")
    work = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    began, cpu = time.perf_counter(), time.process_time()
    value = work() if callable(work) else work
    spent = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"value": value, "seconds": spent[0], "cpu": spent[1], "rss_mb": peak_mb()}))


if __name__ == "__main__":
    main()
