"""What a retry asks of the store: what failed, what was refused, what is unread, and a round that opens."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from consumers.core.faults import LeaseLost
from consumers.core.gate import Room
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import RECHECKED, Batch, Held, Leased, NewChunk, NewFile
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    add_round,
    changes_of,
    end_job,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    new_file,
    plant,
    submit,
)

BATCH = new_batch()


def batch_of(store: SqlStore, batch_id: str = BATCH.batch_id) -> Batch:
    batch = store.batch(batch_id)
    assert batch is not None
    return batch


def run(
    store: SqlStore,
    chunk_id: str,
    outcome: Outcome,
    code: str = "",
    positions: Sequence[int] = (0,),
    attempt: int = 1,
) -> None:
    """Bring a chunk from PLANNED to its end with the same outcome for all."""
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    told = [judged(n, outcome, error_code=code or None, attempt=attempt) for n in positions]
    store.save(held, told, NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    store.release(held)


def end(store: SqlStore, state: BatchState = BatchState.FAILED) -> Held:
    """End the batch and keep its lease."""
    held = hold_batch(store, BATCH.batch_id)
    assert store.finish_batch(held, changes_of(store, held.id), state, "so it was", NOW)
    return held


def refused_batch(store: SqlStore, count: int = 4) -> Held:
    """Plan a batch of files that are all REFUSED but the first, and end it."""
    store.accept(BATCH)
    held = hold_batch(store, BATCH.batch_id)
    files = [new_file(n, code="not_found" if n else "") for n in range(count)]
    store.plan_files(held, files, {"phase": "cut"})
    store.plan_chunks(held, [new_chunk(BATCH, 0, [0])], {"phase": "finish"})
    store.finish_plan(held, NOW)
    store.release(held)
    run(store, new_chunk(BATCH, 0, [0]).chunk_id, Outcome.SUCCEEDED)
    return end(store, BatchState.COMPLETED_WITH_ERRORS)


def fine(position: int, *, size: int = 77, etag: str = "new") -> NewFile:
    return replace(
        new_file(position, etag=etag), size_bytes=size, tokens=9, code=RECHECKED, reason="it is fine now"
    )


def test_files_found_fine_count_as_refused_until_a_round_takes_them_in(store: SqlStore) -> None:
    held = refused_batch(store)
    assert [file.position for file in store.refused_files(held.id)] == [1, 2, 3]
    store.recheck(held, [fine(1), new_file(2, code="archived")])
    assert [(file.position, file.code) for file in store.refused_files(held.id)] == [
        (2, "archived"),
        (3, "not_found"),
    ]
    assert list(store.rechecked_files(held.id)) == [fine(1)]
    assert store.count(held.id).refused == 3
    assert add_round(store, held, 1, [new_chunk(BATCH, 1, [1], round=1)])
    assert store.count(held.id).refused == 2
    assert list(store.rechecked_files(held.id)) == []
    (sent,) = store.chunk_files(new_chunk(BATCH, 1, [1]).chunk_id)
    assert (sent.size_bytes, sent.etag) == (77, "new")


def test_a_file_that_is_not_refused_is_left_alone(store: SqlStore) -> None:
    held = refused_batch(store)
    store.recheck(held, [fine(0)])
    assert list(store.rechecked_files(held.id)) == []
    assert [row.etag for row in store.result_rows(held.id) if row.file_id == 1000] == ["e"]


def test_many_refused_files_come_in_plan_order(store: SqlStore) -> None:
    held = refused_batch(store, 1203)
    assert [file.position for file in store.refused_files(held.id)] == list(range(1, 1203))
    store.recheck(held, [fine(n) for n in range(1, 1203, 2)])
    assert [file.position for file in store.rechecked_files(held.id)] == list(range(1, 1203, 2))
    assert [file.position for file in store.refused_files(held.id)] == list(range(2, 1203, 2))


def test_what_was_found_again_is_stored_under_the_lease_only(store: SqlStore) -> None:
    held = refused_batch(store)
    store.release(held)
    old = hold_batch(store, held.id, GONE)
    hold_batch(store, held.id)
    with pytest.raises(LeaseLost):
        store.recheck(old, [fine(1)])
    assert list(store.rechecked_files(held.id)) == []


def test_a_round_that_opens_a_batch_forgets_why_it_ended_and_counts_from_itself(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    store.cancel(BATCH.batch_id, "on request", NOW)
    store.stop_buying(BATCH.batch_id, "the budget is used up", NOW)
    held = end(store)
    store.failed(held, "retry", "no route", NOW)
    assert add_round(store, held, 1, [new_chunk(BATCH, 1, [0], round=1, attempt=2)])
    batch = batch_of(store)
    assert (batch.state, batch.reason, batch.finished_at) == (BatchState.RUNNING, "", None)
    assert (batch.cancelled, batch.stopped, batch.canary, batch.failures) == (False, "", None, {})
    assert (batch.revision, batch.retried, batch.round, batch.first_round) == (2, 1, 1, 1)


def test_a_round_of_a_running_batch_counts_on(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    held = hold_batch(store, BATCH.batch_id)
    assert add_round(store, held, 1, [new_chunk(BATCH, 1, [0], round=1, attempt=2)])
    batch = batch_of(store)
    assert (batch.revision, batch.retried, batch.round, batch.first_round) == (1, 0, 1, 0)


def test_a_round_made_before_a_chunk_ended_is_not_added(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, files=1)
    run(store, first, Outcome.MODEL_ERROR)
    before = changes_of(store, BATCH.batch_id)
    run(store, second, Outcome.MODEL_ERROR, positions=[1])
    held = end(store)
    chunk = new_chunk(BATCH, 2, [0], round=1, attempt=2)
    assert not store.add_round(held, 1, [chunk], before)
    assert len(store.chunk_ids(BATCH.batch_id)) == 2
    assert add_round(store, held, 1, [chunk])


def test_a_round_is_added_whole_or_not_at_all(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    held = end(store)

    def chunks() -> Iterator[NewChunk]:
        yield new_chunk(BATCH, 1, [0], round=1, attempt=2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.add_round(held, 1, chunks(), changes_of(store, held.id))
    assert len(store.chunk_ids(BATCH.batch_id)) == 1
    assert (batch_of(store).state, batch_of(store).round) == (BatchState.FAILED, 0)


def test_chunks_may_be_made_of_what_is_read_while_they_are_added(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    held = end(store)
    chunks = (
        new_chunk(BATCH, 1, [record.position], round=1, attempt=record.attempts + 1)
        for record in store.failed_records(held.id)
    )
    assert store.add_round(held, 1, chunks, changes_of(store, held.id))
    assert store.count(held.id).outcomes == {}


def test_a_failed_record_tells_all_its_attempts_and_the_outcomes_since_the_batch_was_started(
    store: SqlStore,
) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.UNPARSABLE)
    held = hold_batch(store, BATCH.batch_id)
    for n, outcome in ((1, Outcome.MODEL_ERROR), (2, Outcome.FILTERED)):
        chunk = new_chunk(BATCH, n, [0], round=n, attempt=n + 1)
        assert add_round(store, held, n, [chunk])
        run(store, chunk.chunk_id, outcome, attempt=n + 1)
    (record,) = store.failed_records(held.id)
    assert (record.attempts, record.past) == (3, (Outcome.UNPARSABLE, Outcome.MODEL_ERROR))
    store.release(held)
    held = end(store)
    for n in (3, 4):
        chunk = new_chunk(BATCH, n, [0], round=n, attempt=n + 1)
        assert add_round(store, held, n, [chunk])
        run(store, chunk.chunk_id, Outcome.MODEL_ERROR, attempt=n + 1)
    (record,) = store.failed_records(held.id)
    assert (record.attempts, record.past) == (5, (Outcome.MODEL_ERROR,))


def test_chunks_with_output_that_is_paid_for_and_unread_are_named_while_it_is_there(store: SqlStore) -> None:
    read, unread, cleaned = plant(store, chunks=3, files=1)
    run(store, read, Outcome.MISSING, "NOT_IN_OUTPUT")
    run(store, unread, Outcome.MISSING, "RESULT_FETCH_FAILED", [1])
    run(store, cleaned, Outcome.MISSING, "RESULT_FETCH_FAILED", [2])
    held = hold_chunk(store, cleaned)
    store.cleaned(held, 3, 3, NOW)
    assert store.unread_chunks(BATCH.batch_id) == [unread]
    assert store.unread_chunks("nothing") == []


def test_the_next_chunk_is_numbered_behind_the_last_one(store: SqlStore) -> None:
    assert store.next_index(BATCH.batch_id) == 0
    plant(store, chunks=3)
    assert store.next_index(BATCH.batch_id) == 3


def test_a_batch_is_left_only_if_no_chunk_of_it_ended_meanwhile(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, files=1)
    run(store, first, Outcome.SUCCEEDED)
    held = hold_batch(store, BATCH.batch_id)
    seen = changes_of(store, held.id)
    run(store, second, Outcome.SUCCEEDED, positions=[1])
    assert not store.leave_batch(held, seen)
    assert store.renew(held, 60)
    assert store.leave_batch(held, changes_of(store, held.id))
    assert store.take(Leased.BATCH, held.id, 60) is not None


def test_an_early_round_takes_what_waits_although_other_chunks_go_on(store: SqlStore) -> None:
    first, second, third = plant(store, chunks=3, files=1)
    for n, chunk_id in enumerate((first, second)):
        run(store, chunk_id, Outcome.MODEL_ERROR, positions=[n])
        store.note_waiting(hold_chunk(store, chunk_id), 1)
    assert store.waiting_chunks(BATCH.batch_id, 10) == [first, second]
    held = hold_batch(store, BATCH.batch_id)
    chunk = new_chunk(BATCH, 3, [0], round=1, attempt=2)
    assert store.add_early_round(held, 1, [chunk], {first: 0})
    assert not store.add_early_round(held, 1, [chunk], {first: 0})
    assert store.waiting_chunks(BATCH.batch_id, 10) == [second]
    assert [record.position for record in store.failed_records(held.id)] == [1]
    assert [record.chunk_id for record in store.failed_of(second)] == [second]
    assert dict(store.chunk_ids(BATCH.batch_id))[third] is not None


def test_an_early_round_takes_no_number_that_a_split_took_meanwhile(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, files=1)
    run(store, first, Outcome.MODEL_ERROR)
    held = hold_batch(store, BATCH.batch_id)
    chunk = new_chunk(BATCH, store.next_index(BATCH.batch_id), [0], round=1, attempt=2)
    staging = hold_chunk(store, second)
    assert store.open_staging(staging, Room(20, 20), NOW) == "open"
    assert store.split(staging, [new_chunk(BATCH, 2, [1])], "SPLIT: too large", NOW)
    assert not store.add_early_round(held, 1, [chunk], {})
    assert batch_of(store).round == 0


@pytest.mark.parametrize("how", ["cancelled", "stopped", "ended"])
def test_no_early_round_is_added_to_a_batch_that_buys_no_more(store: SqlStore, how: str) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    if how == "cancelled":
        store.cancel(BATCH.batch_id, "by a person", NOW)
    if how == "stopped":
        store.stop_buying(BATCH.batch_id, "no money", NOW)
    held = end(store) if how == "ended" else hold_batch(store, BATCH.batch_id)
    assert not store.add_early_round(held, 1, [new_chunk(BATCH, 1, [0], round=1, attempt=2)], {})
    assert len(store.chunk_ids(BATCH.batch_id)) == 1


def test_a_whole_round_leaves_nothing_that_waits(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=1)
    run(store, chunk_id, Outcome.MODEL_ERROR)
    store.note_waiting(hold_chunk(store, chunk_id), 1)
    held = end(store)
    assert add_round(store, held, 1, [new_chunk(BATCH, 1, [0], round=1, attempt=2)])
    assert store.waiting_chunks(BATCH.batch_id, 10) == []
