"""What leaves the rows with a file, and what stays: its place, what it came to, what it cost."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from consumers.core.faults import LeaseLost
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Held
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import metadata
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    add_round,
    changes_of,
    completed,
    hold_batch,
    hold_chunk,
    judged,
    new_chunk,
)
from tests.contracts.test_store_retries import BATCH, fine, refused_batch

KEY = "proxy/0.mov"


def ended(store: SqlStore, request_id: str = "r") -> str:
    """Put an ended batch of two files into the store; all that is known of the first names it."""
    chunk_id = completed(store, request_id)
    chunk = hold_chunk(store, chunk_id)
    told: Any = {"raw_text": f"of {KEY}", "error_message": KEY, "cost_usd": Decimal("0.5"), "input_tokens": 7}
    store.save(chunk, [judged(0, result=f'{{"text":"{KEY}"}}', **told), judged(1)], NOW)
    store.release(chunk)
    batch_id = chunk_id.partition("-")[0]
    held = hold_batch(store, batch_id)
    assert store.finish_batch(held, changes_of(store, batch_id), BatchState.COMPLETED, "", NOW)
    store.release(held)
    return batch_id


def forgotten(store: SqlStore, batch_id: str) -> Held:
    held = hold_batch(store, batch_id)
    store.begin_forgetting(held, 0, NOW)
    return held


def tables_that_tell(store: SqlStore) -> set[str]:
    with store.database.read() as connection:
        return {
            table.name
            for table in metadata.sorted_tables
            if any(KEY in repr(row) for row in connection.execute(select(table)))
        }


def test_only_the_note_of_who_leaves_tells_of_a_file_and_it_goes_at_the_end(store: SqlStore) -> None:
    batch_id = ended(store)
    assert {"files", "records"} <= tables_that_tell(store)
    held = forgotten(store, batch_id)
    assert tables_that_tell(store) == {"forgettings"}
    assert store.end_forgetting(held, changes_of(store, batch_id))
    assert tables_that_tell(store) == set()


def test_what_it_came_to_and_cost_stays_and_the_batch_has_its_next_revision(store: SqlStore) -> None:
    batch_id = ended(store)
    before, count = store.batch(batch_id), store.count(batch_id)
    held = forgotten(store, batch_id)
    assert store.end_forgetting(held, changes_of(store, batch_id))
    assert before is not None
    assert store.batch(batch_id) == replace(before, revision=2)
    assert store.count(batch_id) == count
    [row] = store.forgotten_rows(batch_id)
    assert (row.outcome, row.cost_usd, row.input_tokens, row.result) == ("SUCCEEDED", Decimal("0.5"), 7, None)
    assert [each.file_id for each in store.result_rows(batch_id)] == [1001]


def test_one_that_leaves_is_told_again_until_its_end_and_then_nobody_is(store: SqlStore) -> None:
    batch_id = ended(store)
    held = hold_batch(store, batch_id)
    [first] = store.begin_forgetting(held, 0, NOW)
    assert (first.file_id, first.s3_key, first.chunk_ids) == ("1000", KEY, (f"{batch_id}-000",))
    assert store.begin_forgetting(held, 0, NOW) == [first]
    assert store.begin_forgetting(held, None, NOW) == [first]
    assert store.holders_of("", "media", KEY) == [(batch_id, first)]
    store.release(held)
    assert store.waiting(NOW, 10).forgets == (batch_id,)
    held = hold_batch(store, batch_id)
    store.end_forgetting(held, changes_of(store, batch_id))
    assert store.begin_forgetting(held, 0, NOW) == []
    assert store.holders_of("", "media", KEY) == []
    assert store.waiting(NOW, 10).forgets == ()


def test_a_request_is_known_again_although_it_names_the_file_no_more(store: SqlStore) -> None:
    batch_id = ended(store)
    whole = '{"files":[{"file_id":1000,"s3_key":"proxy/0.mov"},{"file_id":1001,"s3_key":"b.mov"}]}'
    with store.database.write() as connection:
        connection.execute(text("UPDATE batches SET request = :whole"), {"whole": whole})
    forgotten(store, batch_id)
    assert KEY not in store.request_of(batch_id)
    assert '"b.mov"' in store.request_of(batch_id)
    assert store.said_before(batch_id, whole)
    assert not store.said_before(batch_id, whole.replace("b.mov", "c.mov"))


def test_without_the_lease_nothing_leaves(store: SqlStore) -> None:
    batch_id = ended(store)
    gone = hold_batch(store, batch_id, GONE)
    hold_batch(store, batch_id)
    with pytest.raises(LeaseLost):
        store.begin_forgetting(gone, 0, NOW)
    assert "files" in tables_that_tell(store)


def test_a_batch_that_moved_meanwhile_does_not_end_its_forgetting(store: SqlStore) -> None:
    batch_id = ended(store)
    held = forgotten(store, batch_id)
    assert not store.end_forgetting(held, changes_of(store, batch_id) - 1)
    assert tables_that_tell(store) == {"forgettings"}


def test_a_retry_passes_over_files_that_are_forgotten_be_they_refused_or_found_fine(store: SqlStore) -> None:
    held = refused_batch(store, 5)
    store.recheck(held, [fine(1), fine(3)])
    for position in (1, 2):
        store.begin_forgetting(held, position, NOW)
    assert [file.position for file in store.refused_files(held.id)] == [4]
    assert [file.position for file in store.rechecked_files(held.id)] == [3]
    assert add_round(store, held, 1, [new_chunk(BATCH, 1, [3], round=1)])
    assert store.count(held.id).refused == 3


def test_a_retry_passes_over_records_of_a_file_that_is_forgotten(store: SqlStore) -> None:
    chunk = hold_chunk(store, completed(store))
    store.save(chunk, [judged(0, Outcome.MODEL_ERROR), judged(1, Outcome.MODEL_ERROR)], NOW)
    batch_id = chunk.id.partition("-")[0]
    forgotten(store, batch_id)
    assert [failed.position for failed in store.failed_records(batch_id)] == [1]
