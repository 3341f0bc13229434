"""Several processes on one database: nothing is given twice, nobody is told that it is locked."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState, JobStatus
from consumers.core.rows import Gate, Leased
from consumers.core.store import Store
from daemon.adapters.store import SqlStore, make_engine, migrate, schema_serves
from tests.contracts.planting import (
    LONG,
    MODEL,
    NOW,
    add_round,
    arn,
    hold_batch,
    hold_chunk,
    job_name,
    judged,
    new_batch,
    new_chunk,
    plant,
    report,
    stage,
)

if TYPE_CHECKING:

    def kept(engine_url: str) -> Store:
        """The store keeps its contract; the type checker proves it."""
        return SqlStore(make_engine(engine_url))


Work = tuple[str, Sequence[str]]


Run = Callable[[Callable[[Work], int], Sequence[Work]], list[int]]


@pytest.fixture(scope="module")
def processes() -> Iterator[Run]:
    """Run a function on several pieces of work, in four processes at the same time."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.contracts.planting", "alembic.command"])
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        yield lambda function, works: list(pool.map(function, works))


def migrate_one(work: Work) -> int:
    """Migrate a database; returns whether it is current then."""
    engine = make_engine(work[0])
    migrate(engine)
    current = schema_serves(engine)
    engine.dispose()
    return int(current)


def claim_all(work: Work) -> int:
    """Try to claim a slot for each chunk; returns how many succeeded, checking the limit at each step."""
    store = SqlStore(make_engine(work[0]))
    claimed = 0
    for chunk_id in work[1]:
        held = store.take(Leased.CHUNK, chunk_id, LONG)
        if held is None:
            continue
        gate = store.claim_slot(held, job_name(chunk_id), f"t{chunk_id}", Room(10, 20), NOW)
        claimed += gate is Gate.OPEN
        if len(store.open_jobs()) > 10:
            raise AssertionError("more jobs than slots")
    store.engine.dispose()
    return claimed


def turn_over(work: Work) -> int:
    """Take every chunk from its slot to its end; a chunk without a slot is tried again."""
    store = SqlStore(make_engine(work[0]))
    left = list(work[1])
    while left:
        chunk_id = left.pop(0)
        held = hold_chunk(store, chunk_id)
        if store.claim_slot(held, job_name(chunk_id), f"t{chunk_id}", Room(2, 20), NOW) is not Gate.OPEN:
            left.append(chunk_id)
            continue
        if len(store.open_jobs()) > 2:
            raise AssertionError("more jobs than slots")
        store.submitted(chunk_id, arn(chunk_id), NOW)
        store.job_seen(chunk_id, report(chunk_id, JobStatus.COMPLETED), NOW)
        store.release(held)
    store.engine.dispose()
    return len(work[1])


def write_all(work: Work) -> int:
    """Save outcomes and take leases as fast as possible; returns the longest wait in milliseconds."""
    store = SqlStore(make_engine(work[0]))
    waits = []
    for chunk_id in [*work[1]] * 5:
        held = hold_chunk(store, chunk_id)
        for write in (
            lambda held=held: store.save(held, [judged(0), judged(1)], NOW),
            lambda held=held: store.failed(held, "prepare", "why", NOW),
            lambda held=held: store.release(held),
        ):
            begun = monotonic()
            write()
            waits.append(monotonic() - begun)
    store.engine.dispose()
    return round(max(waits) * 1000)


def settle(work: Work) -> int:
    """Add the first round to a batch under a lease that all settlers believe to hold."""
    store = SqlStore(make_engine(work[0]))
    held = store.take(Leased.BATCH, work[1][0], LONG)
    chunk = new_chunk(new_batch(), 1, [0, 1], round=1, attempt=2)
    made = held is not None and add_round(store, held, 1, [chunk])
    store.engine.dispose()
    return int(made)


def test_processes_that_migrate_at_the_same_moment_all_succeed(empty_url: str, processes: Run) -> None:
    assert processes(migrate_one, [(empty_url, [])] * 4) == [1, 1, 1, 1]


def test_processes_never_claim_more_than_the_slots(
    store: SqlStore, database_url: str, processes: Run
) -> None:
    ids = plant(store, chunks=100, files=1)
    for chunk_id in ids:
        stage(store, chunk_id)
    claimed = processes(claim_all, [(database_url, ids[n:] + ids[:n]) for n in (0, 33, 66)])
    assert sum(claimed) == 10
    assert len(store.open_jobs()) == 10


def test_processes_hand_two_slots_on_until_every_chunk_had_one(
    store: SqlStore, database_url: str, processes: Run
) -> None:
    ids = plant(store, chunks=30, files=1)
    for chunk_id in ids:
        stage(store, chunk_id)
    assert processes(turn_over, [(database_url, ids[n::3]) for n in range(3)]) == [10, 10, 10]
    states = {state for _, state in store.chunk_ids(ids[0].partition("-")[0])}
    assert states == {ChunkState.ENDED}


def test_four_writers_wait_for_each_other_and_never_long(
    store: SqlStore, database_url: str, processes: Run
) -> None:
    ids = plant(store, chunks=20)
    longest = processes(write_all, [(database_url, ids[n::4]) for n in range(4)])
    assert max(longest) < 2000


def test_two_settling_processes_make_one_round(store: SqlStore, database_url: str, processes: Run) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.partition("-")[0]
    assert sum(processes(settle, [(database_url, [batch_id])] * 4)) == 1
    batch = store.batch(batch_id)
    assert batch is not None
    assert (batch.round, batch.revision) == (1, 1)
    assert store.next_up(MODEL, Room(1, 1), NOW) == tuple(each for each, _ in store.chunk_ids(batch_id))[:2]
    assert store.take(Leased.BATCH, batch_id, LONG) is None
    with pytest.raises(AssertionError):
        hold_batch(store, batch_id)
