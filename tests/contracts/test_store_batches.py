"""Batches: accepted once, planned in steps, sent again in rounds, cancelled, ended."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC

import pytest

from consumers.core.faults import LeaseLost
from consumers.core.gate import Room
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Batch, Gate
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    MODEL,
    NOW,
    SLOTS,
    add_round,
    after,
    changes_of,
    claim,
    end_job,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    new_file,
    plant,
    stage,
    submit,
)


def batch_of(store: SqlStore, batch_id: str) -> Batch:
    batch = store.batch(batch_id)
    assert batch is not None
    return batch


def ended_batch(store: SqlStore, outcome: Outcome = Outcome.MODEL_ERROR) -> str:
    [chunk_id] = plant(store, files=1)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(0, outcome)], NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    store.release(held)
    batch_id = chunk_id.partition("-")[0]
    lease = hold_batch(store, batch_id)
    store.finish_batch(lease, changes_of(store, lease.id), BatchState.FAILED, "1 MODEL_ERROR", NOW)
    store.release(lease)
    return batch_id


def test_a_request_is_accepted_once(store: SqlStore) -> None:
    batch = new_batch()
    assert store.accept(batch)
    assert not store.accept(new_batch(at=after(hours=1)))
    stored = batch_of(store, batch.batch_id)
    assert (stored.state, stored.terms, stored.created_at) == (BatchState.PLANNING, batch.terms, NOW)
    assert stored.created_at.tzinfo is UTC
    assert store.request_of(batch.batch_id) == '{"request":1}'


def test_an_unknown_batch_is_none(store: SqlStore) -> None:
    assert store.batch("nothing") is None
    assert store.cancel("nothing", "why", NOW) == ()
    assert not store.is_through("nothing")


def test_a_step_of_the_plan_is_kept_with_its_cursor_and_the_same_step_changes_nothing(
    store: SqlStore,
) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    files = [new_file(0), new_file(1, code="not_found"), new_file(2, file_id="key-2")]
    for _ in range(2):
        store.plan_files(held, files, {"phase": "read", "at": {"offset": 17}})
    assert batch_of(store, batch.batch_id).cursor == {"phase": "read", "at": {"offset": 17}}
    uncut = [replace(files[0], context={}), replace(files[2], context={})]
    assert list(store.uncut_files(batch.batch_id, 0, 10)) == uncut
    assert list(store.uncut_files(batch.batch_id, 1, 1)) == uncut[1:]
    assert store.planned_ids(batch.batch_id, ["1000", "key-2", "other"]) == {"1000", "key-2"}


def test_what_a_database_cannot_hold_is_stored_readably(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.finish_batch(held, changes_of(store, held.id), BatchState.FAILED, "never", NOW)
    store.failed(held, "plan", "a NUL \x00 and half a pair \ud83d", NOW)
    store.plan_files(held, [], {"odd": "\x00\ud83d 日本"})
    assert batch_of(store, batch.batch_id).cursor == {"odd": "\x00\ud83d 日本"}


def test_chunks_come_back_as_they_were_planned(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(n) for n in range(120)], {})
    cuts = [new_chunk(batch, n, range(n * 2, n * 2 + 2)) for n in range(60)]
    store.plan_chunks(held, cuts[:50], {"phase": "cut"})
    store.plan_chunks(held, cuts[40:], {"phase": "finish"})
    assert list(store.chunk_plans(batch.batch_id, 0)) == cuts
    assert list(store.chunk_plans(batch.batch_id, 1)) == []
    assert [chunk_id for chunk_id, _ in store.chunk_ids(batch.batch_id)] == [cut.chunk_id for cut in cuts]


def test_a_batch_is_planned_then_running_then_ended(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.partition("-")[0]
    assert batch_of(store, batch_id).state is BatchState.PLANNED
    for _ in range(2):
        store.start_batch(batch_id)
    assert batch_of(store, batch_id).state is BatchState.RUNNING
    held = hold_batch(store, batch_id)
    store.finish_batch(held, changes_of(store, held.id), BatchState.COMPLETED_WITH_ERRORS, "1 MISSING", NOW)
    store.finish_batch(held, changes_of(store, held.id), BatchState.COMPLETED, "", after(hours=1))
    store.start_batch(batch_id)
    batch = batch_of(store, batch_id)
    assert (batch.state, batch.reason, batch.finished_at) == ("COMPLETED_WITH_ERRORS", "1 MISSING", NOW)


def test_a_batch_is_through_when_its_plan_and_all_chunks_are(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    batch_id = first.partition("-")[0]
    for chunk_id, through in ((first, False), (second, True)):
        assert not store.is_through(batch_id)
        store.end_chunk(hold_chunk(store, chunk_id), ChunkState.FAILED, "", NOW)
        assert store.is_through(batch_id) is through


def test_writes_of_a_batch_whose_lease_was_taken_over_raise(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    old = hold_batch(store, batch.batch_id, GONE)
    hold_batch(store, batch.batch_id)
    for write in (
        lambda: store.plan_files(old, [new_file(0)], {}),
        lambda: store.plan_chunks(old, [], {}),
        lambda: store.finish_plan(old, NOW),
        lambda: add_round(store, old, 1),
        lambda: store.finish_batch(old, changes_of(store, old.id), BatchState.FAILED, "", NOW),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert batch_of(store, batch.batch_id).state is BatchState.PLANNING
    assert store.count(batch.batch_id).files == 0


def test_a_new_round_opens_an_ended_batch_with_a_new_revision(store: SqlStore) -> None:
    batch_id = ended_batch(store)
    held = hold_batch(store, batch_id)
    chunk = new_chunk(new_batch(), 1, [0], round=1, attempt=2)
    assert add_round(store, held, 1, [chunk])
    assert not add_round(store, held, 1, [chunk])
    batch = batch_of(store, batch_id)
    assert (batch.state, batch.revision, batch.round, batch.reason) == (BatchState.RUNNING, 2, 1, "")
    count = store.count(batch_id)
    assert (count.records, count.outcomes, count.good) == (1, {}, 0)
    assert store.next_up(MODEL, Room(SLOTS, 20), NOW) == (chunk.chunk_id,)


def test_two_settlers_at_the_same_moment_make_one_round(store: SqlStore) -> None:
    batch_id = ended_batch(store)
    held = hold_batch(store, batch_id)
    chunk = new_chunk(new_batch(), 1, [0], round=1, attempt=2)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: add_round(store, held, 1, [chunk]), range(4)))
    assert sorted(made) == [False, False, False, True]
    assert batch_of(store, batch_id).revision == 2


def test_cancelling_ends_what_has_not_started_and_names_the_open_jobs(store: SqlStore) -> None:
    planned, ready, claimed, running, held_one = plant(store, chunks=5)
    stage(store, ready)
    stage(store, claimed)
    store.release(claim(store, claimed))
    submit(store, running)
    held = hold_chunk(store, held_one)
    batch_id = planned.partition("-")[0]
    assert store.cancel(batch_id, "on request", NOW) == [claimed, running]
    states = dict(store.chunk_ids(batch_id))
    assert states[planned] is states[ready] is ChunkState.CANCELLED
    assert [states[each] for each in (claimed, running, held_one)] == ["READY", "SUBMITTED", "PLANNED"]
    assert store.outcomes(planned) == {("combined", "CANCELLED"): 2}
    assert store.open_staging(held, Room(SLOTS, 20), NOW) is Gate.CANCELLED
    assert batch_of(store, batch_id).cancelled
    assert store.next_up(MODEL, Room(SLOTS, 20), NOW) == ()


def test_cancelling_an_ended_batch_changes_nothing(store: SqlStore) -> None:
    batch_id = ended_batch(store)
    assert store.cancel(batch_id, "too late", NOW) == ()
    assert not batch_of(store, batch_id).cancelled


def test_a_batch_cancelled_while_it_is_planned_cancels_its_chunks_when_the_plan_ends(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(0)], {})
    store.cancel(batch.batch_id, "on request", NOW)
    store.plan_chunks(held, [new_chunk(batch, 0, [0])], {})
    store.finish_plan(held, NOW)
    assert [state for _, state in store.chunk_ids(batch.batch_id)] == [ChunkState.CANCELLED]
    assert store.count(batch.batch_id).outcomes == {Outcome.CANCELLED: 1}
