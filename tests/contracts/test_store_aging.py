"""Rows by their age: what may be swept, whose raw lines may go, and when somebody last looked."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from consumers.core.faults import LeaseLost
from consumers.core.lifecycle import BatchState
from consumers.core.rows import JudgedRecord
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    after,
    changes_of,
    completed,
    hold_batch,
    hold_chunk,
    judged,
    plant,
)

DAY = timedelta(days=1)


def ended(store: SqlStore, request_id: str, *unread: JudgedRecord) -> str:
    """Put a batch into the store that has come to its end; returns its id."""
    chunk_id = completed(store, request_id)
    if unread:
        chunk = hold_chunk(store, chunk_id)
        store.save(chunk, unread, NOW)
        store.release(chunk)
    batch_id = chunk_id.partition("-")[0]
    held = hold_batch(store, batch_id)
    assert store.finish_batch(held, changes_of(store, batch_id), BatchState.COMPLETED, "", NOW)
    store.release(held)
    return batch_id


def test_old_chunks_are_named_page_by_page(store: SqlStore) -> None:
    ids = sorted(completed(store, f"r{number}") for number in range(5))
    assert store.cleanable(NOW, 10) == []
    assert store.cleanable(after(days=1), 2) == ids[:2]
    assert store.cleanable(after(days=1), 2, ids[1]) == ids[2:4]
    assert store.cleanable(after(days=1), 2, ids[4]) == []


def test_ended_batches_keep_their_raw_lines_until_they_are_removed(store: SqlStore) -> None:
    first, second = sorted(ended(store, name) for name in ("a", "b"))
    assert store.raw_kept(NOW) is None
    assert store.raw_kept(after(days=1)) == first
    assert store.raw_kept(after(days=1), first) == second
    held = hold_batch(store, first)
    store.raw_removed(held, after(days=2))
    store.release(held)
    assert store.raw_kept(after(days=1)) == second
    assert store.raw_kept(after(days=1), second) is None


def test_a_batch_that_has_not_ended_keeps_its_raw_lines(store: SqlStore) -> None:
    completed(store)
    assert store.raw_kept(after(days=1)) is None


def test_a_batch_with_output_not_read_keeps_its_raw_lines(store: SqlStore) -> None:
    ended(store, "a", judged(0, Outcome.MISSING, error_code="RESULT_FETCH_FAILED"))
    other = ended(store, "b")
    assert store.raw_kept(after(days=1)) == other
    assert store.raw_kept(after(days=1), other) is None


def test_a_batch_whose_results_are_being_made_anew_keeps_its_raw_lines(store: SqlStore) -> None:
    held = hold_batch(store, ended(store, "a"))
    store.begin_reparse(held)
    store.release(held)
    assert store.raw_kept(after(days=1)) is None


def test_a_folder_has_one_owner(store: SqlStore) -> None:
    chunk_id = completed(store)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert store.owner_of(chunk.folder) == chunk_id
    assert store.owner_of(f"{chunk.folder}0") is None


def test_output_from_elsewhere_has_a_reader_until_it_is_read(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    assert store.reader_of("s3://media/old/") is None
    with store.engine.begin() as connection:
        connection.execute(update(chunks).values(output_uri="s3://media/old/job1/"))
    for place in ("s3://media/old/job1/", "s3://media/old/", "s3://media/old/job1/manifest.jsonl.out"):
        assert store.reader_of(place) == chunk_id
    assert store.reader_of("s3://media/old/job2/") is None
    assert store.reader_of("s3://media/%") is None
    with store.engine.begin() as connection:
        connection.execute(update(chunks).values(state="COMPLETED"))
    assert store.reader_of("s3://media/old/job1/") is None


def test_only_the_holder_of_a_batch_notes_that_its_raw_lines_are_gone(store: SqlStore) -> None:
    batch_id = ended(store, "a")
    old = hold_batch(store, batch_id, GONE)
    hold_batch(store, batch_id)
    with pytest.raises(LeaseLost):
        store.raw_removed(old, NOW)
    assert store.raw_kept(after(days=1)) == batch_id


def test_what_is_done_once_a_day_is_due_once_a_day(store: SqlStore) -> None:
    assert store.is_due("aging", DAY, NOW)
    assert not store.is_due("aging", DAY, NOW)
    assert not store.is_due("aging", DAY, after(hours=23))
    assert store.is_due("other", DAY, NOW)
    assert store.is_due("aging", DAY, after(hours=24))
    assert not store.is_due("aging", DAY, after(hours=25))


def clean(store: SqlStore, batch_id: str) -> None:
    """Let the folder of a batch's chunk be found empty."""
    held = hold_chunk(store, f"{batch_id}-000")
    store.cleaned(held, 0, 0, NOW)
    store.release(held)


def without_results(store: SqlStore, request_id: str) -> str:
    batch_id = ended(store, request_id)
    clean(store, batch_id)
    held = hold_batch(store, batch_id)
    store.results_removed(held, NOW)
    store.release(held)
    return batch_id


def test_results_go_of_old_batches_whose_folders_are_clean(store: SqlStore) -> None:
    batch_id = ended(store, "a")
    assert store.results_kept(after(days=1)) is None
    clean(store, batch_id)
    assert store.results_kept(NOW) is None
    assert store.results_kept(after(days=1)) == batch_id
    assert store.results_kept(after(days=1), batch_id) is None
    held = hold_batch(store, batch_id)
    store.results_removed(held, NOW)
    assert store.results_kept(after(days=1)) is None
    assert store.raw_kept(after(days=1)) is None


def test_results_stay_while_output_is_unread_or_a_file_is_leaving(store: SqlStore) -> None:
    unread = judged(0, Outcome.MISSING, error_code="RESULT_FETCH_FAILED", result=None)
    for batch_id in (ended(store, "a", unread), ended(store, "b")):
        clean(store, batch_id)
    held = hold_batch(store, batch_id)
    store.begin_forgetting(held, 0, NOW)
    assert store.results_kept(after(days=1)) is None


def test_rows_go_page_by_page_and_the_batch_is_counted_as_before(store: SqlStore) -> None:
    other, batch_id = ended(store, "other"), without_results(store, "a")
    count, others = store.count(batch_id), store.count(other)
    request = store.request_of(batch_id)
    assert store.rows_kept(after(days=1)) == batch_id
    held = hold_batch(store, batch_id)
    for _ in range(2):
        store.sum_up(held)
    assert store.remove_rows(held) == 2
    for _ in range(2):
        store.sum_up(held)
    assert store.remove_rows(held) == 0
    store.rows_removed(held, NOW)
    assert store.rows_kept(after(days=1)) is None
    assert list(store.planned_files(batch_id)) == []
    assert store.count(batch_id) == count
    assert store.count(other) == others
    assert len(list(store.planned_files(other))) == 2
    assert store.said_before(batch_id, request)


def test_only_the_holder_removes_rows(store: SqlStore) -> None:
    batch_id = without_results(store, "a")
    old = hold_batch(store, batch_id, GONE)
    hold_batch(store, batch_id)
    for removal in (store.sum_up, store.remove_rows):
        with pytest.raises(LeaseLost):
            removal(old)
    assert len(list(store.planned_files(batch_id))) == 2
