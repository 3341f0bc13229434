"""Planning: what a file costs from the request to its place in a chunk, and what a manifest costs."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench import child
from tests.bench.child import Ran
from tests.bench.rounds import interleaved
from tests.bench.table import Cell, Scale, Table, Target
from tests.databases import make_sqlite_store

SIZES = {
    Scale.TINY: (20, 40),
    Scale.SHORT: (1000, 10_000, 100_000),
    Scale.FULL: (1000, 10_000, 100_000, 1_000_000),
}
NAIVE_FILES = {Scale.TINY: 5, Scale.SHORT: 1000, Scale.FULL: 3000}
SPLIT_FILES = {Scale.TINY: 100, Scale.SHORT: 300_000, Scale.FULL: 1_000_000}
RECORDS = {Scale.TINY: 20, Scale.SHORT: 50_000, Scale.FULL: 50_000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, OURS = "naive: all in memory", "ours"
SPLIT, MANIFEST = "tests.bench.plan_work:{}_split", "tests.bench.plan_manifest:{}_manifest"
LIMIT_FILES = {Scale.TINY: 20, Scale.SHORT: 10_000, Scale.FULL: 100_000}


RULES = "decoding a line with the rules of a message takes half of naive, and each becomes a piece to be cut"


def tables(scale: Scale) -> Iterator[Table]:
    """Plan whole batches, then the two parts that touch neither database nor network."""
    yield _whole(scale)
    lines, records = SPLIT_FILES[scale], RECORDS[scale]
    title = f"plan: {lines:,} lines of a list read and split"
    yield _compared(title, SPLIT, lines, "limit: one bare decode a line", scale, RULES)
    title = f"plan: a manifest of {records:,} records"
    yield _compared(title, MANIFEST, records, "limit: ready-made lines", scale)


def _whole(scale: Scale) -> Table:
    """Plan batches of growing size, each in a fresh process over a fresh database."""
    naive = _planned(scale, "tests.bench.plan_work:naive_plan", NAIVE_FILES[scale])
    limit = _planned(scale, "tests.bench.plan_work:limit_plan", LIMIT_FILES[scale])
    ran = {size: _planned(scale, "tests.bench.planning:plan_files", size) for size in SIZES[scale]}
    least, middle, most = min(ran), sorted(ran)[1], max(ran)
    each = {size: found.seconds / size * 1e6 for size, found in ran.items()}
    naive_each = naive.seconds / NAIVE_FILES[scale] * 1e6
    limit_each = limit.seconds / LIMIT_FILES[scale] * 1e6

    def row(name: str, each: float, found: Ran) -> tuple[Cell, ...]:
        return name, each, naive_each / each, each / limit_each, found.seconds, found.rss_mb

    return Table(
        "plan: a list in S3 becomes chunks in SQLite, by plan_batch",
        ("way", "µs a file", "× naive", "× limit", "seconds", "RSS MB"),
        [
            row(f"naive, {NAIVE_FILES[scale]:,}: a commit a file", naive_each, naive),
            *(row(f"ours, {size:,} files of a list", each[size], found) for size, found in ran.items()),
            row(f"limit, {LIMIT_FILES[scale]:,}: the same rows by the bare driver", limit_each, limit),
        ],
        [
            Target("time a file against naive", each[most] / naive_each, "≤", 0.2),
            Target(f"time a file, {most:,} against {middle:,}", each[most] / each[middle], "≤", 1.3),
            Target(f"memory, {most:,} against {middle:,}", ran[most].rss_mb / ran[middle].rss_mb, "≤", 1.3),
            Target(f"MB more from {least:,} to {most:,}", ran[most].rss_mb - ran[least].rss_mb, "≤", 10),
        ],
        "RSS is the whole process at its peak, libraries included. S3 answers from memory at once.",
    )


def _planned(scale: Scale, work: str, files: int) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        make_sqlite_store(Path(folder)).engine.dispose()
        return child.run(scale, work, url=f"sqlite:///{Path(folder) / 'novabatch.db'}", count=files)


def _compared(title: str, work: str, count: int, limit: str, scale: Scale, known: str = "") -> Table:
    ways = {NAIVE: "naive", OURS: "our", limit: "limit"}
    ran: dict[str, list[Ran]] = {name: [] for name in ways}

    def measure(name: str) -> float:
        ran[name].append(child.run(scale, work.format(ways[name]), count=count))
        return ran[name][-1].seconds

    took = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in ways})
    grown = {name: max(each.value for each in found) for name, found in ran.items()}
    return Table(
        title,
        ("way", "seconds", "× naive", "× limit", "memory grew by, MB"),
        [
            (name, took[name], took[NAIVE] / took[name], took[name] / took[limit], grown[name])
            for name in ways
        ],
        [
            Target("time against naive", took[OURS] / took[NAIVE], "≤", 0.2, known),
            Target("MB more than at the start", grown[OURS], "≤", 10),
        ],
    )
