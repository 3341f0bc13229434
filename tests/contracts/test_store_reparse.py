"""Results made anew from raw lines: what is written of it, and what stays."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from consumers.core.faults import LeaseLost
from consumers.core.layout import RecordName
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Held, JudgedRecord, Link, Reparse, SentAs, Written
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import records
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    add_round,
    after,
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

BATCH = new_batch().batch_id
WRITTEN = Written(2, 20, "ab")


def anew(position: int, outcome: Outcome = Outcome.SUCCEEDED, **other: Any) -> JudgedRecord:
    plain = JudgedRecord(position, "combined", 1, outcome, result='{"summary":{}}')
    return msgspec.structs.replace(plain, **other)


def ended(store: SqlStore, state: BatchState = BatchState.COMPLETED) -> tuple[str, Held]:
    """Put an ended batch of two bought records into the store; returns its chunk and the batch's lease."""
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    spent: dict[str, Any] = {"input_tokens": 100, "output_tokens": 10, "cost_usd": Decimal("0.01")}
    store.save(held, [judged(0, **spent), judged(1, **spent)], NOW)
    store.part_written(held, chunk_id, WRITTEN)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    store.release(held)
    batch = hold_batch(store, BATCH)
    assert store.finish_batch(batch, changes_of(store, BATCH), state, "", NOW)
    return chunk_id, batch


def reparse_of(store: SqlStore) -> Reparse | None:
    batch = store.batch(BATCH)
    assert batch is not None
    return batch.reparse


def test_a_record_judged_again_keeps_what_was_bought_and_when(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    before = list(store.result_rows(BATCH))
    new = anew(0, result='{"summary":{"text":"new"}}')
    assert store.rejudge(held, [new, anew(1)], chunk_id) == 1
    after_, other = store.result_rows(BATCH)
    assert after_ == replace(before[0], result={"summary": {"text": "new"}})
    assert other == before[1]
    assert store.rejudge(held, [new, anew(1)], chunk_id) == 0
    assert reparse_of(store) == Reparse(0, 0, 1)


def test_everything_that_a_reading_gives_is_written(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    bad = anew(
        0,
        Outcome.UNPARSABLE,
        result=None,
        raw_text="what \x00 it said",
        error_code="NOT_JSON",
        error_message="why",
        stop_reason="end_turn",
        retryable=True,
        repaired=True,
        missing=2,
    )
    for record in (bad, msgspec.structs.replace(bad, missing=3)):
        assert store.rejudge(held, [record], chunk_id) == 1
        assert store.rejudge(held, [record], chunk_id) == 0
    with store.database.read() as connection:
        row = connection.execute(select(records).where(records.c.position == 0)).one()
    assert (row.outcome, row.error_code, row.error_message, row.result) == (
        "UNPARSABLE",
        "NOT_JSON",
        "why",
        None,
    )
    assert (row.raw_text, row.retryable, row.repaired, row.missing) == ("what \ufffd it said", True, True, 3)
    assert (row.stop_reason, row.created_at, row.cost_usd) == ("end_turn", NOW, Decimal("0.01"))


def test_the_part_of_a_chunk_is_older_than_records_that_changed(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    store.rejudge(held, [anew(0)], chunk_id)
    assert [part.written for part in store.parts(BATCH)] == [WRITTEN]
    store.rejudge(held, [anew(0, result="{}")], chunk_id)
    assert [part.written for part in store.parts(BATCH)] == [None]
    store.part_written(held, chunk_id, WRITTEN)
    assert [part.written for part in store.parts(BATCH)] == [WRITTEN]


def test_which_attempt_counts_is_chosen_again(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    store.rejudge(held, [anew(0, Outcome.UNPARSABLE)], chunk_id)
    again = new_chunk(new_batch(), 1, [0], round=1, attempt=2)
    assert add_round(store, held, 1, [again])
    second = hold_chunk(store, again.chunk_id)
    store.save(second, [judged(0, Outcome.UNPARSABLE, attempt=2)], NOW)
    store.end_chunk(second, ChunkState.FAILED, "", NOW)
    assert [row.attempt for row in store.result_rows(BATCH)] == [2, 1]
    store.rejudge(held, [anew(0)], chunk_id)
    assert [(row.attempt, row.outcome) for row in store.result_rows(BATCH)] == [
        (1, "SUCCEEDED"),
        (1, "SUCCEEDED"),
    ]


def test_how_far_a_reparse_is_and_what_it_came_to_are_kept(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    assert reparse_of(store) is None
    store.begin_reparse(held)
    store.pass_chunk(held, chunk_id, 2, ["why"])
    store.begin_reparse(held)
    assert reparse_of(store) == Reparse(1, 2, 0, 1, ("why",))
    store.pass_chunk(held, chunk_id, 2, ["why"] * 30)
    assert reparse_of(store) == Reparse(1, 4, 0, 31, ("why",) * 20)


def test_a_reparse_that_changed_nothing_ends_without_a_revision(store: SqlStore) -> None:
    _, held = ended(store)
    before = store.batch(BATCH)
    assert before is not None
    store.begin_reparse(held)
    assert store.failed(held, "reparse", "why", NOW) == 1
    assert store.failed(held, "other", "why", NOW) == 1
    done = Reparse(None, 2, 0, 0, (), after(hours=1))
    changes = changes_of(store, BATCH)
    assert store.end_reparse(held, changes, BatchState.COMPLETED, "", done, after(hours=1))
    assert store.batch(BATCH) == replace(before, reparse=done, failures={"other": 1})


def test_a_reparse_that_changed_something_ends_with_the_next_revision(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    store.rejudge(held, [anew(0, Outcome.UNPARSABLE)], chunk_id)
    done = Reparse(None, 2, 1, 0, (), after(hours=1))
    state = BatchState.COMPLETED_WITH_ERRORS
    args = (state, "1 UNPARSABLE", done, after(hours=1))
    assert not store.end_reparse(held, changes_of(store, BATCH) + 1, *args)
    assert store.end_reparse(held, changes_of(store, BATCH), *args)
    batch = store.batch(BATCH)
    assert batch is not None
    assert (batch.state, batch.reason, batch.revision) == (state, "1 UNPARSABLE", 2)
    assert (batch.finished_at, batch.reparse) == (after(hours=1), done)


def test_a_batch_that_opened_meanwhile_is_not_ended_by_a_reparse(store: SqlStore) -> None:
    _, held = ended(store)
    store.begin_reparse(held)
    assert add_round(store, held, 1, [new_chunk(new_batch(), 1, [0], round=1, attempt=2)])
    for changed in (0, 1):
        done = Reparse(None, 2, changed, 0, (), NOW)
        assert not store.end_reparse(held, changes_of(store, BATCH), BatchState.COMPLETED, "", done, NOW)


def test_nobody_without_the_lease_writes(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.release(held)
    lost = hold_batch(store, BATCH, GONE)
    hold_batch(store, BATCH)
    for write in (
        lambda: store.begin_reparse(lost),
        lambda: store.rejudge(lost, [anew(0, result="{}")], chunk_id),
        lambda: store.pass_chunk(lost, chunk_id, 1, ()),
        lambda: store.part_written(lost, chunk_id, WRITTEN),
        lambda: store.end_reparse(lost, 0, BatchState.COMPLETED, "", Reparse(), NOW),
    ):
        with pytest.raises(LeaseLost):
            write()


def test_a_reparse_left_half_way_is_named_once_it_has_rested(store: SqlStore) -> None:
    _, held = ended(store)
    assert store.waiting(NOW, 10).reparses == ()
    store.begin_reparse(held)
    assert store.waiting(NOW, 10).reparses == ()
    store.failed(held, "reparse", "why", NOW)
    store.release(held)
    assert store.waiting(NOW, 10).reparses == ()
    assert store.waiting(after(hours=2), 10).reparses == (BATCH,)
    held = hold_batch(store, BATCH)
    done = Reparse(None, ended_at=NOW)
    assert store.end_reparse(held, changes_of(store, BATCH), BatchState.COMPLETED, "", done, NOW)
    store.release(held)
    assert store.waiting(after(hours=2), 10).reparses == ()


def test_links_are_told_with_who_was_sent_where(store: SqlStore) -> None:
    chunk_id, _ = ended(store)
    other = new_batch("other")
    assert store.accept(other)
    held = hold_batch(store, other.batch_id)
    refs = [f"{BATCH}/{n}/combined/1" for n in (1, 0)]
    files = [replace(new_file(n, file_id=f"f{n}"), reused={"combined": ref}) for n, ref in enumerate(refs)]
    store.plan_files(held, files, {})
    links = store.links(other.batch_id, -1)
    assert [(link.record.position, link.record.attempt, link.reused_from) for link in links] == [
        (0, 1, refs[0]),
        (1, 1, refs[1]),
    ]
    assert [(link.name, link.chunk_id) for link in links] == [
        (("1001", "combined"), chunk_id),
        (("1000", "combined"), chunk_id),
    ]
    assert [link.record.s3_key for link in links] == ["proxy/0.mov", "proxy/1.mov"]
    assert store.links(other.batch_id, 0) == links[1:]
    assert not store.links(other.batch_id, 1)
    with store.database.write() as connection:
        connection.execute(records.delete().where(records.c.chunk_id == chunk_id))
    assert [link.chunk_id for link in store.links(other.batch_id, -1)] == [None, None]


def test_every_link_is_told_however_many(store: SqlStore) -> None:
    ended(store)
    other = new_batch("other")
    assert store.accept(other)
    ref = f"{BATCH}/0/combined/1"
    files = [replace(new_file(n), reused={"combined": ref}) for n in range(600)]
    store.plan_files(hold_batch(store, other.batch_id), files, {})
    told: list[Link] = []
    while page := store.links(other.batch_id, told[-1].record.position if told else -1):
        told += page
    assert [link.record.position for link in told] == list(range(600))


def test_what_was_not_counted_in_earlier_versions_is_no_change(store: SqlStore) -> None:
    chunk_id, held = ended(store)
    store.begin_reparse(held)
    assert store.rejudge(held, [anew(0, missing=4)], chunk_id) == 0
    assert store.rejudge(held, [anew(0, missing=4, result="{}")], chunk_id) == 1
    assert store.rejudge(held, [anew(0, missing=5, result="{}")], chunk_id) == 1


def test_records_are_looked_up_by_the_names_they_were_sent_under(store: SqlStore) -> None:
    chunk_id, _ = ended(store)
    names = [RecordName("1000", "combined"), RecordName("1000", "summary"), RecordName("7", "combined")]
    assert store.sent_as(chunk_id, names) == {names[0]: SentAs(0, "proxy/0.mov", "combined", 1, "video")}
    assert not store.sent_as(f"{BATCH}-009", names)
