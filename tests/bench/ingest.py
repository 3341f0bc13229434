"""Taking in output: what a record costs from its line to its row, beside a naive way and the driver alone."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from daemon.adapters.store import SqlStore, make_engine
from tests.bench import child
from tests.bench.child import Ran
from tests.bench.claim import Database, sqlite_database
from tests.bench.rounds import interleaved
from tests.bench.table import Scale, Table, Target
from tests.contracts.ingesting import ended_chunk
from tests.databases import postgres_server

RECORDS = {Scale.TINY: 4, Scale.SHORT: 10_000, Scale.FULL: 50_000}
NAIVE_FILES = {Scale.TINY: 2, Scale.SHORT: 150, Scale.FULL: 150}
SIZES = {Scale.TINY: (2, 4), Scale.SHORT: (150, 2000), Scale.FULL: (150, 2000)}
MEMORY = {Scale.TINY: (2, 4), Scale.SHORT: (1000, 10_000), Scale.FULL: (1000, 50_000)}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, OURS, LIMIT, WHOLE = "naive", "ours", "limit", "ours, to the chunk's end"
WAYS = {NAIVE: "naive", OURS: "taken_in", LIMIT: "limit", WHOLE: "ours"}


def tables(scale: Scale) -> Iterator[Table]:
    """Measure on SQLite, on PostgreSQL where there is one, then how time and memory grow on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        yield compared("SQLite", partial(sqlite_database, Path(folder)), scale)
    if scale is not Scale.TINY:
        with postgres_server() as server:
            if server is not None:
                yield compared("PostgreSQL", server.database, scale)
    with tempfile.TemporaryDirectory() as folder:
        yield _grown(partial(sqlite_database, Path(folder)), scale)


def compared(name: str, database: Database, scale: Scale) -> Table:
    """Take the same output in by every way, each over a fresh database."""
    counts = dict.fromkeys(WAYS, RECORDS[scale]) | {NAIVE: NAIVE_FILES[scale]}
    ran: dict[str, list[Ran]] = {way: [] for way in WAYS}

    def measure(way: str) -> float:
        ran[way].append(_run(database, way, counts[way], scale))
        return ran[way][-1].seconds / counts[way]

    took = interleaved(ROUNDS[scale], {way: partial(measure, way) for way in WAYS})
    cpu = {way: min(each.cpu for each in found) / counts[way] for way, found in ran.items()}
    return Table(
        f"ingest on {name}: records of 7.5 KB, µs a record",
        ("way", "records", "µs", "× naive", "of the limit", "processor µs", "RSS MB"),
        [
            (
                way,
                f"{counts[way]:,}",
                took[way] * 1e6,
                took[NAIVE] / took[way],
                took[way] / took[LIMIT],
                cpu[way] * 1e6,
                max(each.rss_mb for each in ran[way]),
            )
            for way in WAYS
        ],
        [Target("time against the limit", took[OURS] / took[LIMIT], "≤", 1.35)],
        "The limit decodes, finds the planned rows by their names and updates them by executemany of the "
        "driver; it checks nothing. "
        "The whole stage also writes the part and ends the chunk. Nothing is compressed here.",
    )


def _grown(database: Database, scale: Scale) -> Table:
    """Take in outputs of several sizes."""
    found: dict[int, Ran] = {}
    few, many = SIZES[scale]
    took = interleaved(
        ROUNDS[scale],
        {size: lambda size=size: _run(database, WHOLE, size, scale).seconds / size for size in SIZES[scale]},  # type: ignore[misc]
    )
    for size in MEMORY[scale]:
        found[size] = _run(database, WHOLE, size, scale)
    least, most = MEMORY[scale]
    return Table(
        "ingest on SQLite: the whole stage as a chunk grows",
        ("records", "µs a record", "RSS MB"),
        [
            *((f"{size:,}", took[size] * 1e6, None) for size in SIZES[scale]),
            *((f"{size:,}", ran.seconds / size * 1e6, ran.rss_mb) for size, ran in found.items()),
        ],
        [
            Target(f"time a record, {many:,} against {few:,}", took[many] / took[few], "≤", 1.2),
            Target(f"MB more from {least:,} to {most:,}", found[most].rss_mb - found[least].rss_mb, "≤", 15),
            Target("RSS MB at its peak", found[most].rss_mb, "≤", 200),
        ],
    )


def _run(database: Database, way: str, count: int, scale: Scale) -> Ran:
    with database() as url:
        store = SqlStore(make_engine(url))
        chunk_id = ended_chunk(store, count)
        store.engine.dispose()
        work = f"tests.bench.ingest_work:{WAYS[way]}"
        return child.run(scale, work, url=url, chunk_id=chunk_id, count=count)
