"""Several processes that want chunks at the same time: what they lose to each other, beside SKIP LOCKED."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import make_url, text, update

from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Gate, Held, Leased
from daemon.adapters.store import SqlStore, make_engine
from daemon.adapters.store.slots import free_claim
from daemon.adapters.tables import chunks
from deploy.local.processes import wait_until
from schemas.models import base_model
from tests.bench import child
from tests.bench.rounds import interleaved
from tests.bench.table import Scale, Table, Target
from tests.contracts.planting import LONG, MODEL, NOW, SLOTS, job_name, plant, stage
from tests.databases import Postgres

CHUNKS = {Scale.TINY: 2, Scale.SHORT: 120, Scale.FULL: 300}
PROCESSES = {Scale.TINY: 1, Scale.SHORT: 6, Scale.FULL: 6}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 2, Scale.FULL: 3}
ASKING_COSTS = (
    "it asks whose turn it is and who can pay, which SKIP LOCKED does not; nobody asks for each chunk"
)
ROOM = Room(SLOTS, SLOTS)
TOLD, TWICE, ASK, SKIP = "a message each", "two messages each", "all ask who is next", "SKIP LOCKED"
_GATE = 20_260_105
_NOW = "extract(epoch FROM clock_timestamp())"
_SKIP = text(f"""
    UPDATE chunks SET lease_token = :token, lease_until = {_NOW} + :seconds
    WHERE chunk_id = (
        SELECT chunk_id FROM chunks
        WHERE base_model = :model AND state = 'READY'
            AND (lease_until IS NULL OR lease_until <= {_NOW})
        ORDER BY batch_id, number LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING chunk_id
""")


def crowded(server: Postgres, scale: Scale) -> Table:
    """Let processes take the same chunks, each in every way, and claim a slot for each that they got."""
    found: dict[str, list[Crowd]] = {way: [] for way in (TOLD, TWICE, ASK, SKIP)}
    interleaved(ROUNDS[scale], {way: partial(_round, server, scale, way, found[way]) for way in found})
    hold, slot, whole, lost, cpu = (
        {way: median(getattr(each, name) for each in some) for way, some in found.items()}
        for name in ("hold", "slot", "whole", "lost", "cpu")
    )
    return Table(
        f"claim on PostgreSQL: {PROCESSES[scale]} processes for the same {CHUNKS[scale]} chunks",
        (
            "way",
            "tries lost a chunk",
            "ms to hold it",
            "ms to claim a slot",
            "ms a chunk",
            "processor ms a chunk",
        ),
        [(way, lost[way], hold[way], slot[way], whole[way], cpu[way]) for way in found],
        [
            Target("tries lost with a message each", lost[TOLD], "≤", 0),
            Target(f"{TOLD}, ms a chunk against {SKIP}", whole[TOLD] / whole[SKIP], "≤", 1.5),
            Target(f"{ASK}, ms a chunk against {SKIP}", whole[ASK] / whole[SKIP], "≤", 1.5, ASKING_COSTS),
        ],
        "“ms to” are means of one process; “ms a chunk” is the time of all together, by chunks.",
    )


@dataclass(frozen=True)
class Crowd:
    """What a round came to: milliseconds, and tries that found another's lease, by chunks."""

    hold: float
    slot: float
    whole: float
    lost: float
    cpu: float


def _round(server: Postgres, scale: Scale, way: str, into: list[Crowd]) -> float:
    number = PROCESSES[scale]
    with server.database() as url:
        ready = _ready(url, CHUNKS[scale])
        with _gate(url, number if number > 1 else 0) as open_it:
            shares = [_share(ready, way, place, number) for place in range(number)]
            running = [child.start(scale, f"{__name__}:work", url=url, way=way, own=own) for own in shares]
            open_it()
            ran = [join() for join in running]
    told: Sequence[Mapping[str, Any]] = [each.value for each in ran]
    got = sum(each["got"] for each in told)
    assert got == len(ready), (way, got)
    into.append(
        Crowd(
            hold=1000 * sum(each["hold"] for each in told) / got,
            slot=1000 * sum(each["slot"] for each in told) / got,
            whole=1000 * (max(each["end"] for each in told) - min(each["start"] for each in told)) / got,
            lost=sum(each["lost"] for each in told) / got,
            cpu=1000 * sum(each["cpu"] for each in told) / got,
        )
    )
    return into[-1].whole


def _ready(url: str, number: int) -> list[str]:
    """Plant chunks that wait for a slot."""
    store = SqlStore(make_engine(url))
    ready = plant(store, chunks=number, files=1)
    for each in ready:
        stage(store, each)
    store.engine.dispose()
    return ready


def _share(ready: Sequence[str], way: str, place: int, number: int) -> Sequence[str]:
    """Return the chunks that a process is told of; the other message of a chunk goes to its neighbour."""
    mine = ready[place::number]
    if way != TWICE or number == 1:
        return mine
    return [each for pair in zip(mine, ready[(place + 1) % number :: number], strict=False) for each in pair]


@contextmanager
def _gate(url: str, number: int) -> Iterator[Callable[[], None]]:
    """Hold so many processes back until all of them are there."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with _driver(url) as driver:
        if number:
            driver.execute(f"SELECT pg_advisory_lock({_GATE})")

        def all_there() -> bool:
            return bool(driver.execute(waiting).fetchone() == (number,))

        def open_it() -> None:
            assert wait_until(all_there, 60)
            driver.execute("SELECT pg_advisory_unlock_all()")

        yield open_it


def _driver(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True)


# ── one of the processes ───────────────────────────────────────────────────────────────────────


def work(url: str, way: str, own: Sequence[str]) -> Callable[[], Mapping[str, Any]]:
    """Take chunks in one way until there are no more; tells how long it took and what was lost."""
    store = SqlStore(make_engine(url))
    tries = {TOLD: _told, TWICE: _told, ASK: _asked, SKIP: _skipped}[way]

    def take_all() -> Mapping[str, Any]:
        with _driver(url) as gate:
            gate.execute(f"SELECT pg_advisory_lock_shared({_GATE})")
        count = {"got": 0, "lost": 0, "hold": 0.0, "slot": 0.0}
        start, cpu = time.monotonic(), time.process_time()
        began = start
        for held in tries(store, own):
            taken = time.monotonic()
            if held is None or store.claim_slot(held, job_name(held.id), "t", ROOM, NOW) is not Gate.OPEN:
                count["lost"] += 1
                if held:
                    store.release(held)
                continue
            claimed = time.monotonic()
            count["got"] += 1
            count["hold"] += taken - began
            count["slot"] += claimed - taken
            _finish(store, held)
            began = time.monotonic()
        used = time.process_time() - cpu
        store.engine.dispose()
        return {**count, "start": start, "end": time.monotonic(), "cpu": used}

    return take_all


def _told(store: SqlStore, own: Sequence[str]) -> Iterator[Held | None]:
    for chunk_id in own:
        yield store.take(Leased.CHUNK, chunk_id, LONG)


def _asked(store: SqlStore, _: Sequence[str]) -> Iterator[Held | None]:
    """Ask who is next and take the first that nobody else has taken meanwhile."""
    while waiting := store.next_up(MODEL, ROOM, NOW):
        for chunk_id in waiting:
            held = store.take(Leased.CHUNK, chunk_id, LONG)
            yield held
            if held is not None:
                break


def _skipped(store: SqlStore, _: Sequence[str]) -> Iterator[Held | None]:
    while True:
        token = uuid4().hex
        values = {"token": token, "seconds": LONG, "model": base_model(MODEL)}
        with store.database.once() as connection:
            chunk_id = connection.execute(_SKIP, values).scalar_one_or_none()
        if chunk_id is None:
            return
        yield Held(Leased.CHUNK, chunk_id, token)


def _finish(store: SqlStore, held: Held) -> None:
    """Put a chunk out of the way, so that there are never more jobs than processes."""
    undo(store, held.id)
    with store.database.write() as connection:
        which = update(chunks).where(chunks.c.chunk_id == held.id)
        connection.execute(which.values(state=ChunkState.COMPLETED, lease_token=None, lease_until=None))


def undo(store: SqlStore, chunk_id: str) -> None:
    """Take a claim back, as if it had not been made."""
    with store.database.write() as connection:
        free_claim(connection, chunk_id)
