"""Claims: what taking a row costs while history grows, and while others want the same."""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from consumers.core.faults import Fault
from consumers.core.gate import Room
from consumers.core.rows import Gate, Leased
from daemon.adapters.store import SqlStore, make_engine
from tests.bench import child
from tests.bench.claim_crowd import crowded, undo
from tests.bench.history import grow
from tests.bench.rounds import each, interleaved
from tests.bench.table import Scale, Table, Target
from tests.contracts.planting import MODEL, NOW, SLOTS, hold_chunk, job_name
from tests.databases import make_sqlite_store, postgres_server

FEW = {Scale.TINY: 5, Scale.SHORT: 1000, Scale.FULL: 1000}
MANY = {Scale.TINY: 20, Scale.SHORT: 100_000, Scale.FULL: 100_000}
TIMES = {Scale.TINY: 2, Scale.SHORT: 150, Scale.FULL: 500}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
WRITERS = {Scale.TINY: 1, Scale.SHORT: 4, Scale.FULL: 4}
WRITE_SECONDS = {Scale.TINY: 0.05, Scale.SHORT: 5.0, Scale.FULL: 20.0}
WAITING = 4
BARE, TAKE, CLAIM, NEXT = "bare guarded UPDATE", "take a lease", "claim a slot", "ask who is next"
GUARDED = "UPDATE chunks SET lease_token = {0}, lease_until = {0} WHERE chunk_id = {0} AND state = 'READY'"

Database = Callable[[], AbstractContextManager[str]]


def tables(scale: Scale) -> Iterator[Table]:
    """Measure on SQLite, on PostgreSQL where there is one, each with several who work at once."""
    with tempfile.TemporaryDirectory() as folder:
        yield compared("SQLite", partial(sqlite_database, Path(folder)), scale)
    if scale is not Scale.TINY:
        with postgres_server() as server:
            if server is not None:
                yield compared("PostgreSQL", server.database, scale)
                yield crowded(server, scale)
    with tempfile.TemporaryDirectory() as folder:
        yield _writers(Path(folder), scale)


@contextmanager
def sqlite_database(folder: Path) -> Iterator[str]:
    """Make a SQLite file for as long as the block lasts."""
    place = Path(tempfile.mkdtemp(dir=folder))
    make_sqlite_store(place).engine.dispose()
    yield f"sqlite:///{place / 'novabatch.db'}"


# ── one at a time ──────────────────────────────────────────────────────────────────────────────


IN_PROCESS = "a bare UPDATE of SQLite is a call within the process: what SQLAlchemy adds shows"


@dataclass(frozen=True)
class Place:
    """A store whose history has some length, and a way round it."""

    store: SqlStore
    ready: Iterator[str]
    bare: Callable[[str], None]


def compared(name: str, database: Database, scale: Scale) -> Table:
    """Measure each way with a short and with a long history, in turn."""
    with ExitStack() as stack:
        lengths = (FEW[scale], MANY[scale])
        places = {length: stack.enter_context(_place(database, length)) for length in lengths}
        ways = {BARE: _bare, TAKE: _take, CLAIM: _claim, NEXT: _next}
        measures = {
            (way, length): partial(work, place, TIMES[scale])
            for way, work in ways.items()
            for length, place in places.items()
        }
        took = interleaved(ROUNDS[scale], measures)
    few, many = lengths
    known = IN_PROCESS if name == "SQLite" else ""
    grown = {way: took[way, many] / took[way, few] for way in ways}
    return Table(
        f"claim on {name}: medians, µs",
        ("way", f"{few:,} finished", f"{many:,} finished", "growth", "× bare"),
        [
            (way, took[way, few] * 1e6, took[way, many] * 1e6, grown[way], took[way, many] / took[BARE, many])
            for way in ways
        ],
        [
            *(Target(f"{way}: growth", grown[way], "≤", 1.3) for way in (TAKE, CLAIM, NEXT)),
            Target(f"{TAKE} against the {BARE}", took[TAKE, many] / took[BARE, many], "≤", 2.5, known),
        ],
        "Claiming a slot is one transaction that also counts jobs and asks the gate; no bound is set for it.",
    )


@contextmanager
def _place(database: Database, finished: int) -> Iterator[Place]:
    with database() as url, _connected(url) as bare:
        engine = make_engine(url)
        store = SqlStore(engine)
        yield Place(store, cycle(grow(store, finished, WAITING)), bare)
        engine.dispose()


@contextmanager
def _connected(url: str) -> Iterator[Callable[[str], None]]:
    """Give the bare UPDATE through the driver alone, its transaction included."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        plain = sqlite3.connect(str(parsed.database), isolation_level=None)
        plain.execute("PRAGMA synchronous = NORMAL")
        words = GUARDED.format("?")

        def lite(chunk_id: str) -> None:
            plain.execute("BEGIN IMMEDIATE")
            plain.execute(words, (None, None, chunk_id))
            plain.execute("COMMIT")

        yield lite
        plain.close()
        return
    address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as server:
        statement: Any = GUARDED.format("%s")

        def post(chunk_id: str) -> None:
            server.execute(statement, (None, None, chunk_id))

        yield post


def _bare(place: Place, times: int) -> float:
    return each(lambda: place.bare(next(place.ready)), times)


def _take(place: Place, times: int) -> float:
    took = []
    for _ in range(times):
        chunk_id = next(place.ready)
        began = time.perf_counter()
        held = place.store.take(Leased.CHUNK, chunk_id, 60)
        took.append(time.perf_counter() - began)
        assert held is not None
        place.store.release(held)
    return sorted(took)[times // 2]


def _claim(place: Place, times: int) -> float:
    took = []
    for _ in range(times):
        chunk_id = next(place.ready)
        held = hold_chunk(place.store, chunk_id)
        began = time.perf_counter()
        answer = place.store.claim_slot(held, job_name(chunk_id), "t", Room(SLOTS, 20), NOW)
        took.append(time.perf_counter() - began)
        assert answer is Gate.OPEN
        undo(place.store, chunk_id)
        place.store.release(held)
    return sorted(took)[times // 2]


def _next(place: Place, times: int) -> float:
    return each(lambda: place.store.next_up(MODEL, Room(SLOTS, SLOTS), NOW), times)


# ── several writers ────────────────────────────────────────────────────────────────────────────


def _writers(folder: Path, scale: Scale) -> Table:
    """Let processes write to one SQLite file as fast as they can."""
    store = make_sqlite_store(folder)
    ready = grow(store, FEW[scale], WRITERS[scale])
    url = f"sqlite:///{folder / 'novabatch.db'}"
    store.engine.dispose()
    work, length = "tests.bench.claim:write", WRITE_SECONDS[scale]
    running = [child.start(scale, work, url=url, chunk_id=each, seconds=length) for each in ready]
    found = [join().value for join in running]
    written = sum(each["transactions"] for each in found)
    longest = max(each["longest"] for each in found)
    faults = sum(each["faults"] for each in found)
    return Table(
        f"claim: {len(found)} writers on one SQLite file for {length} s",
        ("transactions/s", "longest wait, s", "refused as locked"),
        [(written / length, longest, str(faults))],
        [
            Target("longest wait, s", longest, "≤", 2.0),
            Target("“database is locked”", faults, "≤", 0),
        ],
    )


def write(url: str, chunk_id: str, seconds: float) -> Callable[[], Mapping[str, Any]]:
    """Claim a slot and give it back again and again; tells how long the longest transaction took."""
    store = SqlStore(make_engine(url))

    def work() -> Mapping[str, Any]:
        held = hold_chunk(store, chunk_id)
        end, longest, count, faults = time.monotonic() + seconds, 0.0, 0, 0
        while (began := time.monotonic()) < end:
            try:
                store.claim_slot(held, job_name(chunk_id), "t", Room(SLOTS, 20), NOW)
                undo(store, chunk_id)
            except Fault:
                faults += 1
            count += 2
            longest = max(longest, time.monotonic() - began)
        store.engine.dispose()
        return {"transactions": count, "longest": longest, "faults": faults}

    return work
