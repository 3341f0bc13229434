"""Chunks that are not as they were planned: files measured again, files refused, chunks split."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from consumers.core.faults import LeaseLost
from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Held, Measured, NewChunk, Refusal
from daemon.adapters.store import SqlStore
from daemon.adapters.store.reuse import source
from daemon.adapters.tables import files
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    SLOTS,
    add_round,
    after,
    changes_of,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    plant,
    stage,
)

BATCH = new_batch()
WHY = "SPLIT: too large"


def preparing(store: SqlStore, chunk_id: str) -> Held:
    held = hold_chunk(store, chunk_id)
    assert store.open_staging(held, Room(SLOTS, 20), NOW) == "open"
    return held


def halves(first: int, positions: Sequence[int], round: int = 0, attempt: int = 1) -> list[NewChunk]:
    """Two chunks that share files, numbered from ``first``."""
    middle = len(positions) // 2
    return [
        new_chunk(BATCH, first + n, some, round=round, attempt=attempt)
        for n, some in enumerate((positions[:middle], positions[middle:]))
    ]


def sent(store: SqlStore, chunk_id: str) -> list[tuple[int, str, int]]:
    return [
        (file.position, record.analysis_type, record.attempt)
        for file in store.chunk_files(chunk_id)
        for record in file.records
    ]


def test_a_split_chunk_ends_and_its_records_go_on_in_new_ones(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=4)
    held = preparing(store, chunk_id)
    before = changes_of(store, BATCH.batch_id)
    new = halves(store.next_index(BATCH.batch_id), range(4))
    assert store.split(held, new, WHY, after(seconds=5))
    old = store.chunk(chunk_id)
    assert old is not None
    assert (old.state, old.reason, old.records, old.padding) == (ChunkState.CANCELLED, WHY, 0, 0)
    assert store.chunk_ids(BATCH.batch_id) == [
        (chunk_id, ChunkState.CANCELLED),
        *((chunk.chunk_id, ChunkState.PLANNED) for chunk in new),
    ]
    assert [sent(store, chunk.chunk_id) for chunk in new] == [
        [(0, "combined", 1), (1, "combined", 1)],
        [(2, "combined", 1), (3, "combined", 1)],
    ]
    assert changes_of(store, BATCH.batch_id) > before
    assert not store.is_through(BATCH.batch_id)


def test_a_split_loses_no_record_and_closes_none(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=4)
    before = store.count(BATCH.batch_id)
    new = halves(1, range(4))
    assert store.split(preparing(store, chunk_id), new, WHY, NOW)
    now = store.count(BATCH.batch_id)
    assert (now.records, now.outcomes, now.refused) == (before.records, {}, 0)
    for chunk in new:
        stage(store, chunk.chunk_id)
        held = hold_chunk(store, chunk.chunk_id)
        store.save(held, [judged(position) for position in chunk.safe_names], NOW)
    assert store.count(BATCH.batch_id).outcomes == {Outcome.SUCCEEDED: 4}


def test_a_number_that_is_taken_by_now_splits_nothing(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, files=2)
    number = store.next_index(BATCH.batch_id)
    assert number == 2
    assert store.split(preparing(store, first), halves(number, range(2)), WHY, NOW)
    held = preparing(store, second)
    assert not store.split(held, halves(number, range(2, 4)), WHY, NOW)
    assert sent(store, second) == [(2, "combined", 1), (3, "combined", 1)]
    assert store.split(held, halves(store.next_index(BATCH.batch_id), range(2, 4)), WHY, NOW)
    assert len(store.chunk_ids(BATCH.batch_id)) == 6


def test_many_splits_at_once_never_take_the_same_number(store: SqlStore) -> None:
    chunk_ids = plant(store, chunks=6, files=2)
    helds = [preparing(store, chunk_id) for chunk_id in chunk_ids]

    def split(n: int) -> None:
        positions = range(2 * n, 2 * n + 2)
        while not store.split(helds[n], halves(store.next_index(BATCH.batch_id), positions), WHY, NOW):
            pass

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(split, range(6)))
    found = store.chunk_ids(BATCH.batch_id)
    assert [state for _, state in found] == [ChunkState.CANCELLED] * 6 + [ChunkState.PLANNED] * 12
    assert sorted(each for chunk_id, _ in found for each in sent(store, chunk_id)) == [
        (position, "combined", 1) for position in range(12)
    ]


def test_a_cancelled_batch_is_not_split(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = preparing(store, chunk_id)
    store.cancel(BATCH.batch_id, "by hand", NOW)
    assert not store.split(held, halves(1, range(2)), WHY, NOW)
    assert store.chunk_ids(BATCH.batch_id) == [(chunk_id, ChunkState.PREPARING)]


def test_a_chunk_that_is_staged_by_now_is_not_split(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    assert not store.split(hold_chunk(store, chunk_id), halves(1, range(2)), WHY, NOW)


@pytest.mark.parametrize("write", ["split", "remeasure", "refuse"])
def test_a_holder_who_lost_the_lease_writes_nothing(store: SqlStore, write: str) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id, GONE)
    hold_chunk(store, chunk_id)
    with pytest.raises(LeaseLost):
        if write == "split":
            store.split(held, halves(1, range(2)), WHY, NOW)
        elif write == "remeasure":
            store.remeasure(held, [Measured(0, 7, "n")])
        else:
            store.refuse_files(held, [Refusal(0, "not_found", "gone")])
    assert [file.size_bytes for file in store.chunk_files(chunk_id)] == [1000, 1001]


def test_a_later_round_is_split_within_itself(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, "JOB_FAILED", "no", NOW)
    store.end_chunk(held, ChunkState.FAILED, "no", NOW)
    batch = hold_batch(store, BATCH.batch_id)
    again = new_chunk(BATCH, 1, range(2), round=1, attempt=2)
    assert add_round(store, batch, 1, [again])
    assert store.split(preparing(store, again.chunk_id), halves(2, range(2), 1, 2), WHY, NOW)
    plans = {plan.index: plan for plan in store.chunk_plans(BATCH.batch_id, 1)}
    assert {n: [(r.position, r.attempt) for r in plans[n].records] for n in (1, 2, 3)} == {
        1: [],
        2: [(0, 2)],
        3: [(1, 2)],
    }
    assert store.count(BATCH.batch_id).records == 2


def test_a_record_refused_in_its_second_round_stays_with_the_chunk_that_refused_it(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=3)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, "JOB_FAILED", "no", NOW)
    store.end_chunk(held, ChunkState.FAILED, "no", NOW)
    again = new_chunk(BATCH, 1, range(3), round=1, attempt=2)
    assert add_round(store, hold_batch(store, BATCH.batch_id), 1, [again])
    held = preparing(store, again.chunk_id)
    store.refuse_files(held, [Refusal(2, "not_found", "it is gone")])
    assert store.split(held, halves(2, range(2), 1, 2), WHY, NOW)
    assert store.outcomes(again.chunk_id) == {("combined", "MISSING"): 1}
    count = store.count(BATCH.batch_id)
    assert (count.records, count.outcomes, count.refused) == (3, {Outcome.MISSING: 1}, 0)


def test_a_file_is_measured_again_only_once(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id)
    store.remeasure(held, [Measured(1, 77, "new")])
    store.remeasure(held, [Measured(0, 5, "zero"), Measured(1, 99, "newer")])
    found = [(file.size_bytes, file.etag, file.measured_again) for file in store.chunk_files(chunk_id)]
    assert found == [(5, "zero", True), (77, "new", True)]


def test_what_was_measured_again_is_planned_with_its_new_size_in_the_next_chunk(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = preparing(store, chunk_id)
    store.remeasure(held, [Measured(1, 77, "new")])
    new = halves(1, range(2))
    assert store.split(held, new, WHY, NOW)
    (file,) = store.chunk_files(new[1].chunk_id)
    assert (file.size_bytes, file.etag, file.measured_again) == (77, "new", False)


def test_content_that_was_measured_again_is_known_by_its_new_etag(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    store.remeasure(hold_chunk(store, chunk_id), [Measured(0, 77, "new")])
    with store.database.read() as connection:
        found = connection.execute(select(files.c.source)).scalars().all()
    assert found == [source("media", "proxy/0.mov", "new")]


def test_the_first_chunk_of_a_batch_has_number_nought(store: SqlStore) -> None:
    assert store.accept(BATCH)
    assert store.next_index(BATCH.batch_id) == 0
