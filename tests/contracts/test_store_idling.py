"""Slots that stand empty while chunks wait: what each job knows of the slot it took."""

from datetime import datetime

import pytest

from consumers.core.gate import Room
from daemon.adapters.store import SqlStore
from tests.contracts.planting import MODEL, NOW, after, arn, end_job, hold_chunk, job_name, plant, stage

BASE = "amazon.nova-2-lite-v1:0"


def take_a_slot(store: SqlStore, chunk_id: str, at: datetime, slots: int = 1) -> None:
    """Give a planned chunk a job, where there are so many slots."""
    stage(store, chunk_id, at)
    held = hold_chunk(store, chunk_id)
    assert store.claim_slot(held, job_name(chunk_id), "t", Room(slots, 0), at) == "open"
    assert store.submitted(chunk_id, arn(chunk_id), at)
    store.release(held)


def test_a_slot_counts_as_empty_from_the_end_of_its_job_to_the_next(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    take_a_slot(store, first, NOW)
    end_job(store, first, after(minutes=20))
    take_a_slot(store, second, after(minutes=20, seconds=90))
    assert store.idle_seconds() == {BASE: pytest.approx(90, abs=0.01)}


def test_before_there_was_a_chunk_no_slot_was_empty_for_it(store: SqlStore) -> None:
    (old,) = plant(store, "old")
    take_a_slot(store, old, NOW)
    end_job(store, old, after(minutes=20))
    (new,) = plant(store, "new", at=after(hours=5))
    take_a_slot(store, new, after(hours=5, seconds=10))
    assert store.idle_seconds() == {BASE: pytest.approx(10, abs=0.01)}


def test_a_slot_that_nobody_wanted_counts_from_the_last_look_that_found_it_so(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    take_a_slot(store, first, NOW)
    end_job(store, first, after(minutes=20))
    store.nobody_waits(MODEL, after(minutes=50))
    take_a_slot(store, second, after(minutes=51))
    assert store.idle_seconds() == {BASE: pytest.approx(60, abs=0.01)}


def test_of_several_free_slots_the_one_free_longest_is_taken_first(store: SqlStore) -> None:
    chunks = plant(store, chunks=4)
    for number, chunk_id in enumerate(chunks[:2]):
        take_a_slot(store, chunk_id, NOW, slots=2)
        end_job(store, chunk_id, after(minutes=20 + number))
    take_a_slot(store, chunks[2], after(minutes=22), slots=2)
    assert store.idle_seconds() == {BASE: pytest.approx(120, abs=0.01)}
    take_a_slot(store, chunks[3], after(minutes=24), slots=2)
    assert store.idle_seconds() == {BASE: pytest.approx(120 + 180, abs=0.01)}


def test_a_claim_that_became_no_job_counts_nothing(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    take_a_slot(store, first, NOW)
    end_job(store, first, after(minutes=20))
    stage(store, second, after(minutes=20))
    held = hold_chunk(store, second)
    assert store.claim_slot(held, job_name(second), "t", Room(1, 0), after(minutes=21)) == "open"
    store.give_slot_back(held, "quota", after(minutes=21))
    assert store.idle_seconds() == {BASE: pytest.approx(0, abs=0.01)}
