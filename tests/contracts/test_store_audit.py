"""The audit: noted with its effect or not at all, and never changed after."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from consumers.core.faults import LeaseLost, Rejected
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Deed, JudgedRecord, Verb
from daemon.adapters.store import SqlStore
from daemon.adapters.views import Views
from schemas.messages import Terms
from schemas.models import load_models
from tests.contracts.planting import (
    GONE,
    NOW,
    changes_of,
    claim,
    completed,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    plant,
    stage,
    submit,
)

Told = tuple[str, str, str, str]


def entries(store: SqlStore, batch_id: str | None = None) -> list[dict[str, object]]:
    found = Views(store.engine, load_models()).audit(None, batch_id, 1000)["entries"]
    return [each for each in found if each["verb"] != "migrate"]


def told(store: SqlStore) -> list[Told]:
    return [(each["actor"], each["verb"], each["phase"], each["target"]) for each in entries(store)]  # type: ignore[misc]


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_or_delete_an_entry(store: SqlStore, change: str) -> None:
    store.intend(Deed(Verb.FORGET, "file 1"))
    with pytest.raises(Rejected, match="only added to"), store.database.write() as connection:
        connection.execute(text(change))
    assert told(store) == [("unknown", "forget", "intent", "file 1")]


def test_an_entry_cannot_be_replaced(store: SqlStore) -> None:
    store.intend(Deed(Verb.FORGET, "file 1"))
    copied = "SELECT id, at, 'nobody', verb, phase, target, detail FROM audit"
    verb = "INSERT OR REPLACE" if store.engine.dialect.name == "sqlite" else "INSERT"
    with pytest.raises(Rejected), store.database.write() as connection:
        connection.execute(text(f"{verb} INTO audit (id, at, actor, verb, phase, target, detail) {copied}"))
    assert told(store) == [("unknown", "forget", "intent", "file 1")]


def test_a_table_of_postgresql_cannot_be_emptied_either(store: SqlStore) -> None:
    if store.engine.dialect.name == "sqlite":
        return  # It knows no other way than DELETE.
    store.intend(Deed(Verb.FORGET, "file 1"))
    with pytest.raises(Rejected, match="only added to"), store.database.write() as connection:
        connection.execute(text("TRUNCATE audit"))


def test_who_accepted_a_request_and_who_it_says_it_is_from_are_two_things(store: SqlStore) -> None:
    batch = new_batch()
    said = Terms(request_id="r", model=batch.model, metadata={"requested_by": ["catalog", 7]})
    mine = SqlStore(store.engine, "submit")
    assert mine.accept(replace(batch, terms=said))
    assert not mine.accept(replace(batch, terms=said))
    [entry] = entries(store)
    assert (entry["actor"], entry["verb"], entry["target"]) == ("submit", "accept", batch.batch_id)
    assert entry["requested_by"] == "['catalog', 7]"


def test_a_job_is_told_before_its_create_with_what_it_may_cost_and_after_it_with_what_it_did(
    store: SqlStore,
) -> None:
    [chunk_id] = plant(store, costs=[Decimal("1.5")])
    stage(store, chunk_id)
    held = claim(store, chunk_id)
    assert told(store)[1:] == [("unknown", "create_job", "intent", chunk_id)]
    assert entries(store)[-1]["cost_usd"] == "1.5"
    store.submitted(chunk_id, "arn:1", NOW)
    store.submitted(chunk_id, "arn:1", NOW)
    cost: JudgedRecord = judged(0, input_tokens=1, output_tokens=1, cost_usd=Decimal("0.25"))
    store.save(held, [cost], NOW)
    store.release(held)
    held = hold_chunk(store, chunk_id)
    store.job_seen(chunk_id, _ended(chunk_id), NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    assert [(each["verb"], each["phase"], each["cost_usd"]) for each in entries(store)[2:]] == [
        ("create_job", "outcome", None),
        ("end_chunk", "done", "0.25"),
    ]


def _ended(chunk_id: str):  # type: ignore[no-untyped-def]
    from consumers.core.lifecycle import JobStatus
    from tests.contracts.planting import report

    return replace(report(chunk_id, JobStatus.COMPLETED), arn="arn:1")


def test_a_claim_that_was_given_back_says_why(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    store.give_slot_back(claim(store, chunk_id), "too many jobs", NOW)
    assert entries(store)[-1]["detail"] == "refused: too many jobs"


def test_what_was_not_done_is_not_told(store: SqlStore) -> None:
    """An entry stands and falls with the transaction of its effect."""
    chunk_id = completed(store)
    batch_id = chunk_id.partition("-")[0]
    before = told(store)
    gone = hold_batch(store, batch_id, GONE)
    hold_batch(store, batch_id)
    with pytest.raises(LeaseLost):
        store.finish_batch(gone, changes_of(store, batch_id), BatchState.COMPLETED, "", NOW)
    assert told(store) == before
    assert not store.resume("*")
    assert told(store) == before


def test_cancelling_and_ending_a_batch_pausing_and_resuming_are_told_once(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    batch_id = chunk_id.partition("-")[0]
    for _ in range(2):
        store.cancel(batch_id, "on request", NOW)
    store.pause("*", "too dear", NOW)
    assert store.resume("*")
    assert [each[1] for each in told(store)[3:]] == ["cancel", "pause", "resume"]


def test_entries_are_found_by_batch_and_the_last_ones_by_number(store: SqlStore) -> None:
    plant(store, "a")
    [chunk_id] = plant(store, "b")
    batch_id = chunk_id.partition("-")[0]
    assert [each["target"] for each in entries(store, batch_id)] == [batch_id]
    last = Views(store.engine, load_models()).audit(None, None, 1)["entries"]
    assert [each["target"] for each in last] == [batch_id]
