"""A chunk's way from its plan to its end."""

from dataclasses import replace

import pytest

from consumers.core.faults import LeaseLost, Rejected
from consumers.core.gate import Room
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Gate, Refusal
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    NOW,
    SLOTS,
    after,
    arn,
    changes_of,
    claim,
    end_job,
    hold_batch,
    hold_chunk,
    job_name,
    judged,
    new_batch,
    new_chunk,
    new_file,
    plant,
    report,
    stage,
    streak,
    submit,
)


def state_of(store: SqlStore, chunk_id: str) -> ChunkState:
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    return chunk.state


def test_a_chunk_goes_from_its_plan_to_its_stored_results(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id)
    assert store.open_staging(held, Room(SLOTS, 20), NOW) is Gate.OPEN
    assert state_of(store, chunk_id) is ChunkState.PREPARING
    store.staged(held, 98, 2001, NOW)
    assert store.claim_slot(held, job_name(chunk_id), "t", Room(SLOTS, 20), NOW) is Gate.OPEN
    assert store.submitted(chunk_id, arn(chunk_id), NOW)
    assert state_of(store, chunk_id) is ChunkState.SUBMITTED
    assert store.job_seen(chunk_id, report(chunk_id, JobStatus.IN_PROGRESS), NOW)
    assert state_of(store, chunk_id) is ChunkState.IN_PROGRESS
    assert store.job_seen(chunk_id, report(chunk_id, JobStatus.COMPLETED), NOW)
    assert state_of(store, chunk_id) is ChunkState.ENDED
    store.save(held, [judged(0), judged(1)], NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.state, chunk.padding, chunk.bytes) == (ChunkState.COMPLETED, 98, 2001)
    assert chunk.job is not None
    assert chunk.job.ended_at is not None


def test_an_unknown_chunk_is_none(store: SqlStore) -> None:
    assert store.chunk("b00000000000000000000-000") is None
    assert store.chunk_of_job("arn", "name") is None


def test_a_chunk_knows_its_files_and_what_to_send(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    files = store.chunk_files(chunk_id)
    assert [(file.position, file.file_id, file.safe_name) for file in files] == [
        (0, "1000", "0.mov"),
        (1, "1001", "1.mov"),
    ]
    assert files[0].records[0].analysis_type == "combined"
    assert files[0].context == {"path": "Smith/pool"}


def test_a_job_is_found_by_its_arn_or_else_by_its_name(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    submit(store, first)
    stage(store, second)
    claim(store, second)
    found = store.chunk_of_job(arn(first), "another name")
    assert found is not None
    assert found.chunk_id == first
    found = store.chunk_of_job(arn(second), job_name(second))
    assert found is not None
    assert found.chunk_id == second


def test_an_event_that_overtakes_the_create_stores_the_arn_and_submitted_is_content(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    claim(store, chunk_id)
    assert store.job_seen(chunk_id, report(chunk_id, JobStatus.COMPLETED), NOW)
    assert not store.submitted(chunk_id, arn(chunk_id), NOW)
    assert state_of(store, chunk_id) is ChunkState.ENDED


def test_a_report_of_another_job_changes_nothing(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    submit(store, first)
    assert not store.job_seen(first, report(second, JobStatus.COMPLETED), NOW)
    assert not store.job_seen(second, report(second, JobStatus.COMPLETED), NOW)
    assert state_of(store, first) is ChunkState.SUBMITTED


def test_a_late_move_changes_nothing(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.staged(held, 5, 5, NOW)
    assert store.open_staging(held, Room(SLOTS, 20), NOW) is Gate.STALE
    assert store.claim_slot(held, job_name(chunk_id), "t", Room(SLOTS, 20), NOW) is Gate.STALE
    store.end_chunk(held, ChunkState.CANCELLED, "too late", NOW)
    assert state_of(store, chunk_id) is ChunkState.SUBMITTED


def test_a_ready_chunk_can_be_staged_again(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    stage(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    assert store.open_staging(held, Room(0, 0), NOW) is Gate.OPEN
    assert state_of(store, chunk_id) is ChunkState.PREPARING


def test_every_write_of_a_holder_whose_lease_was_taken_over_raises(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    old = hold_chunk(store, chunk_id, GONE)
    hold_chunk(store, chunk_id)
    for write in (
        lambda: store.open_staging(old, Room(SLOTS, 20), NOW),
        lambda: store.staged(old, 0, 0, NOW),
        lambda: store.refuse_files(old, [Refusal(0, "changed", "")]),
        lambda: store.claim_slot(old, "n", "t", Room(SLOTS, 20), NOW),
        lambda: store.give_slot_back(old, "", NOW),
        lambda: store.save(old, [judged(0)], NOW),
        lambda: store.close_records(old, Outcome.MISSING, "X", "", NOW),
        lambda: store.end_chunk(old, ChunkState.FAILED, "", NOW),
        lambda: store.cleaned(old, 0, 0, NOW),
        lambda: store.output_came_late(old, "late", "", NOW),
        lambda: store.failed(old, "prepare", "", NOW),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert state_of(store, chunk_id) is ChunkState.PLANNED
    assert store.outcomes(chunk_id) == {}


def test_a_refused_file_leaves_the_chunk_with_its_records(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    store.refuse_files(hold_chunk(store, chunk_id), [Refusal(0, "changed", "another ETag")])
    assert [file.position for file in store.chunk_files(chunk_id)] == [1]
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.files, chunk.records) == (1, 1)
    count = store.count(chunk.batch_id)
    assert (count.files, count.refused, count.records) == (2, 1, 1)


def test_failures_in_a_row_are_counted_and_a_success_sets_them_back(store: SqlStore) -> None:
    ids = plant(store, chunks=4)
    for chunk_id in ids[:2]:
        held = hold_chunk(store, chunk_id)
        store.end_chunk(held, ChunkState.FAILED, "no permission", NOW)
        store.end_chunk(held, ChunkState.FAILED, "no permission", NOW)
    assert streak(store, "us.amazon.nova-2-lite-v1:0") == 2
    assert streak(store, "global.amazon.nova-2-lite-v1:0") == 2
    for chunk_id, outcome, failed in ((ids[2], Outcome.MODEL_ERROR, 2), (ids[3], Outcome.SUCCEEDED, 0)):
        submit(store, chunk_id)
        end_job(store, chunk_id)
        held = hold_chunk(store, chunk_id)
        position = store.chunk_files(chunk_id)[0].position
        store.save(held, [judged(position, outcome)], NOW)
        store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
        assert streak(store) == failed


def test_output_that_could_not_be_read_is_no_failure_of_the_model(store: SqlStore) -> None:
    for chunk_id in plant(store, chunks=3):
        held = hold_chunk(store, chunk_id)
        store.close_records(held, Outcome.MISSING, "RESULT_FETCH_FAILED", "no bytes", NOW)
        assert store.end_chunk(held, ChunkState.FAILED, "no bytes", NOW) is None
    assert streak(store) == 0


def test_results_that_come_late_open_an_ended_batch_with_a_new_revision(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.partition("-")[0]
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, "RESULT_FETCH_FAILED", "no bytes", NOW)
    store.failed(held, "fetch", "no bytes", NOW)
    store.end_chunk(held, ChunkState.FAILED, "no bytes", NOW)
    store.release(held)
    batch_lease = store.take("batch", batch_id, 60)  # type: ignore[arg-type]
    assert batch_lease is not None
    store.finish_batch(batch_lease, changes_of(store, batch_lease.id), BatchState.FAILED, "no bytes", NOW)
    assert store.waiting(NOW, 10).ingests == ()
    assert store.waiting(after(hours=2), 10).ingests == (chunk_id,)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(0)], after(hours=2))
    assert store.close_records(held, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", after(hours=2)) == 1
    store.end_chunk(held, ChunkState.COMPLETED, "", after(hours=2))
    store.release(held)
    batch = store.batch(batch_id)
    assert batch is not None
    assert (batch.state, batch.revision, batch.finished_at) == (BatchState.RUNNING, 2, None)
    assert store.waiting(after(hours=2), 10).ingests == ()


def test_a_cleaned_chunk_is_cleaned_once(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    assert store.cleanable(NOW, 10) == []
    assert store.cleanable(after(days=7), 10) == [chunk_id]
    store.cleaned(held, 3, 2000, NOW)
    store.cleaned(held, 0, 0, after(hours=1))
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.cleaned_at == NOW
    assert store.cleanable(after(days=7), 10) == []


@pytest.mark.parametrize("taken", ["folder", "number"])
def test_a_chunk_whose_folder_or_number_is_another_chunks_is_refused_by_name(
    store: SqlStore, taken: str
) -> None:
    """It is not dropped without a word, to fail later on what refers to it."""
    [first] = plant(store, "first")
    other = store.chunk(first)
    assert other is not None
    batch = new_batch("second")
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(0), new_file(1)], {})
    mine = new_chunk(batch, 0, [0])
    store.plan_chunks(held, [mine], {})
    clash = new_chunk(batch, 1, [1])
    clash = replace(clash, folder=other.folder) if taken == "folder" else replace(clash, index=0)
    with pytest.raises(Rejected, match=rf"{clash.chunk_id}.*taken by another.*{taken}"):
        store.plan_chunks(held, [clash], {"done": True})
    assert [chunk_id for chunk_id, _ in store.chunk_ids(batch.batch_id)] == [mine.chunk_id]
    store.plan_chunks(held, [mine], {})
