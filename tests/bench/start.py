"""Starting and standing idle: the command line's first answer, and what the consumers keep in memory."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deploy.local.processes import ROOT
from tests.bench.machine import consumers, settings
from tests.bench.rounds import interleaved, seconds
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target

ROUNDS = {Scale.TINY: 1, Scale.SHORT: 5, Scale.FULL: 11}
SETTLED = {Scale.TINY: 0.0, Scale.SHORT: 3.0, Scale.FULL: 5.0}
HELP, EAGER, BARE = "novabatch --help", "everything imported", "python alone"
PROGRAMS = {
    HELP: ["-m", "daemon", "--help"],
    EAGER: ["-c", "import boto3, sqlalchemy, alembic, pydantic_settings, structlog, prometheus_client"],
    BARE: ["-c", "pass"],
}
APART = ("submit", "job_state", "cleanup", "submit")


def tables(scale: Scale) -> Iterator[Table]:
    """Measure the start, then the memory."""
    took = interleaved(ROUNDS[scale], {name: partial(_seconds, words) for name, words in PROGRAMS.items()})
    yield Table(
        "start: until the first answer",
        ("program", "seconds", "× everything"),
        [(name, took[name], took[name] / took[EAGER]) for name in PROGRAMS],
        [Target("--help against importing everything", took[HELP] / took[EAGER], "≤", 0.2)],
    )
    with stub() as server, tempfile.TemporaryDirectory() as folder:
        yield _memory(server, Path(folder), SETTLED[scale])


def _seconds(words: list[str]) -> float:
    command = [sys.executable, *words]
    return seconds(lambda: subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True))


def _memory(server: Stub, folder: Path, settled: float) -> Table:
    environment = settings(server, folder)
    together = _rss(["all"], environment, folder, settled)
    apart = _rss(APART, environment, folder, settled)
    return Table(
        "start: memory of consumers that stand idle",
        ("processes", "RSS MB", "× four"),
        [("run all, one process", together, together / apart), ("four processes", apart, 1.0)],
        [Target("one process for all against four", together / apart, "≤", 0.55)],
        f"The four are {', '.join(APART)}; resident sizes are added up, shared pages counted each time.",
    )


def _rss(roles: tuple[str, ...] | list[str], environment: dict[str, str], folder: Path, wait: float) -> float:
    with consumers(roles, environment, folder) as running:
        threading.Event().wait(wait)
        return running.rss_mb()
