"""Starting and standing idle: the command line's first answer, and what the consumers keep in memory."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from deploy.local.processes import ROOT
from tests.bench.machine import consumers, settings
from tests.bench.rounds import interleaved, seconds
from tests.bench.stub.client import Stub, stub
from tests.bench.table import Scale, Table, Target

ROUNDS = {Scale.TINY: 1, Scale.SHORT: 5, Scale.FULL: 11}
SETTLED = {Scale.TINY: 0.0, Scale.SHORT: 3.0, Scale.FULL: 5.0}
EAGERLY = "import boto3, sqlalchemy, alembic, pydantic_settings, structlog, prometheus_client"
WORDS = {Scale.TINY: "pass", Scale.SHORT: EAGERLY, Scale.FULL: EAGERLY}
HELP, EAGER, BARE = "novabatch --help", "everything imported", "python alone"
FOUR = ["submit", "job_state", "cleanup", "submit"]
APART: Mapping[Scale, Sequence[str]] = {Scale.TINY: [], Scale.SHORT: FOUR, Scale.FULL: FOUR}


def tables(scale: Scale) -> Iterator[Table]:
    """Measure the start, then the memory."""
    programs = {HELP: ["-m", "daemon", "--help"], EAGER: ["-c", WORDS[scale]], BARE: ["-c", "pass"]}
    took = interleaved(ROUNDS[scale], {name: partial(_seconds, words) for name, words in programs.items()})
    yield Table(
        "start: until the first answer",
        ("program", "seconds", "× everything"),
        [(name, took[name], took[name] / took[EAGER]) for name in programs],
        [Target("--help against importing everything", took[HELP] / took[EAGER], "≤", 0.2)],
    )
    with stub(scale) as server, tempfile.TemporaryDirectory() as folder:
        yield _memory(server, Path(folder), scale)


def _seconds(words: list[str]) -> float:
    command = [sys.executable, *words]
    return seconds(lambda: subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True))


def _memory(server: Stub, folder: Path, scale: Scale) -> Table:
    environment = settings(server, folder)
    together, apart = (_rss(scale, roles, environment, folder) for roles in (["all"], APART[scale]))
    return Table(
        "start: memory of consumers that stand idle",
        ("processes", "RSS MB", "× four"),
        [("run all, one process", together, together / apart), ("four processes", apart, 1.0)],
        [Target("one process for all against four", together / apart, "≤", 0.55)],
        f"The four are {', '.join(APART[scale])}; resident sizes are added up.",
    )


def _rss(scale: Scale, roles: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    with consumers(scale, roles, environment, folder) as rss_mb:
        threading.Event().wait(SETTLED[scale])
        return rss_mb()
