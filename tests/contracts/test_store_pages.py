"""Records looked up, closed and chosen page by page: cut short anywhere, done again it comes to the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event, func, select

from consumers.core.layout import RecordName
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Answered, Held, Leased, SentAs
from daemon.adapters.store import SqlStore
from daemon.adapters.store.attempts import FILES_AT_ONCE
from daemon.adapters.tables import records
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    NOW,
    add_round,
    after,
    changes_of,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    plant,
)

MANY = 2 * FILES_AT_ONCE + 10


class Killed(Exception):
    """The process is gone in the middle of its work."""


@contextmanager
def killed_at_commit(store: SqlStore, nth: int) -> Iterator[None]:
    """Let the n-th transaction that is committed be the last of this process."""
    left = nth

    def count(_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    event.listen(store.engine, "commit", count)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        event.remove(store.engine, "commit", count)


def rows(store: SqlStore) -> list[tuple[Any, ...]]:
    """Return every record, whole."""
    order = (records.c.position, records.c.analysis_type, records.c.attempt)
    with store.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(records).order_by(*order))]


def test_records_are_found_by_their_names_if_the_chunk_sent_them(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    named = [RecordName(each, "combined") for each in ("1000", "1001", "1002", "77", "it's", "'); --")]
    asked = store.sent_as(first, [*named, RecordName("1000", "summary")])
    assert asked == {
        RecordName("1000", "combined"): SentAs(0, "proxy/0.mov", "combined", 1, "video"),
        RecordName("1001", "combined"): SentAs(1, "proxy/1.mov", "combined", 1, "video"),
    }
    assert set(store.sent_as(second, named)) == {RecordName("1002", "combined")}
    assert store.sent_as(first, []) == {}


def test_a_record_that_is_sent_again_is_found_as_the_attempt_of_the_chunk_that_asks(store: SqlStore) -> None:
    [first] = plant(store, files=1)
    store.save(hold_chunk(store, first), [judged(0, Outcome.UNPARSABLE)], NOW)
    again = retried(store, [0])
    name = RecordName("1000", "combined")
    assert [store.sent_as(each, [name])[name].attempt for each in (first, again.id)] == [1, 2]


def retried(store: SqlStore, positions: list[int]) -> Held:
    """Send records again in another chunk and hold it."""
    held = hold_batch(store, new_batch().batch_id)
    chunk = new_chunk(new_batch(), 1, positions, round=1, attempt=2)
    assert add_round(store, held, 1, [chunk])
    store.release(held)
    return hold_chunk(store, chunk.chunk_id)


def test_more_files_than_a_page_are_closed_and_counted(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=MANY)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(n) for n in range(0, MANY, 2)], NOW)
    assert store.close_records(held, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", NOW) == MANY // 2
    assert store.outcomes(chunk_id) == {
        ("combined", "SUCCEEDED"): MANY // 2,
        ("combined", "MISSING"): MANY // 2,
    }


def test_closing_that_was_cut_short_goes_on_where_it_was(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=MANY)
    held = hold_chunk(store, chunk_id)

    def close(when: datetime) -> int:
        return store.close_records(held, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", when)

    with killed_at_commit(store, 1):
        close(NOW)
    assert store.outcomes(chunk_id) == {("combined", "MISSING"): FILES_AT_ONCE}
    assert close(after(hours=1)) == MANY - FILES_AT_ONCE
    assert store.outcomes(chunk_id) == {("combined", "MISSING"): MANY}


@pytest.mark.parametrize("commits", range(4))
def test_choosing_that_was_cut_short_ends_in_the_same_rows(store: SqlStore, commits: int) -> None:
    [first] = plant(store, files=MANY)
    repaired = [judged(n, Outcome.TRUNCATED, repaired=True) for n in range(MANY)]
    store.save(hold_chunk(store, first), repaired, NOW)
    again = retried(store, list(range(MANY)))
    store.save(again, [judged(n, Outcome.UNPARSABLE, attempt=2) for n in range(MANY)], NOW)
    with killed_at_commit(store, commits):
        store.end_chunk(again, ChunkState.FAILED, "", NOW)
    before = changes_of(store, again.id.partition("-")[0])
    store.end_chunk(again, ChunkState.FAILED, "", NOW)
    current = {(row[1], row[3]) for row in rows(store) if not row[6]}
    assert current == {(n, 1) for n in range(MANY)}
    assert changes_of(store, again.id.partition("-")[0]) > before


def test_a_round_made_before_another_attempt_was_chosen_is_not_added(store: SqlStore) -> None:
    [first] = plant(store, files=FILES_AT_ONCE + 1)
    store.save(hold_chunk(store, first), [judged(0, Outcome.TRUNCATED, repaired=True)], NOW)
    again = retried(store, list(range(FILES_AT_ONCE + 1)))
    store.save(again, [judged(n, Outcome.UNPARSABLE, attempt=2) for n in range(FILES_AT_ONCE + 1)], NOW)
    held = hold_batch(store, new_batch().batch_id)
    before = changes_of(store, held.id)
    with killed_at_commit(store, 1):
        store.end_chunk(again, ChunkState.FAILED, "", NOW)
    assert not store.add_round(held, 2, [new_chunk(new_batch(), 2, [0], round=2, attempt=3)], before)


def test_a_page_of_a_lost_lease_is_not_written(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    old = hold_chunk(store, chunk_id, seconds=-1)
    new = store.take(Leased.CHUNK, chunk_id, 60)
    assert new is not None
    store.save(new, [judged(0), judged(1)], NOW)
    assert store.close_records(old, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", NOW) == 0
    assert store.outcomes(chunk_id) == {("combined", "SUCCEEDED"): 2}


def test_answers_errors_and_what_never_left_are_told_apart(store: SqlStore) -> None:
    [chunk_id] = plant(store, files=7)
    held = hold_chunk(store, chunk_id)
    answers = (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.UNPARSABLE, Outcome.FILTERED)
    told = [judged(n, outcome) for n, outcome in enumerate(answers)]
    kept_back = judged(6, Outcome.MISSING, error_code="CHUNK_NOT_PREPARED")
    store.save(held, [*told, judged(4, Outcome.MODEL_ERROR), kept_back], NOW)
    assert store.answered(chunk_id) == Answered(sent=6, answers=4, errors=1)
    with store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(records)).scalar_one() == 7
