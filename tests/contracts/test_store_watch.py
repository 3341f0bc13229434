"""What the reconciler asks: rows that should move and that nobody moves."""

from collections.abc import Callable

import pytest

from consumers.core.faults import LeaseLost
from consumers.core.gate import Room
from consumers.core.lifecycle import JOB_ENDS, BatchState, ChunkState, JobStatus
from consumers.core.retention import may_clean
from consumers.core.rows import Held, Leased, Waiting
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import findings
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    GONE,
    MODEL,
    NOW,
    SLOTS,
    after,
    arn,
    changes_of,
    claim,
    completed,
    end_job,
    hold_batch,
    hold_chunk,
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


def test_nothing_waits_in_an_empty_store(store: SqlStore) -> None:
    assert store.waiting(NOW, 10) == Waiting()
    assert store.models() == []
    assert store.open_jobs() == []


def test_a_plan_that_nobody_continues_is_named(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    assert store.waiting(NOW, 10).plans == (batch.batch_id,)
    hold_batch(store, batch.batch_id)
    assert store.waiting(NOW, 10) == Waiting()


def test_planned_chunks_that_wait_for_room_are_not_named(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    assert store.waiting(NOW, 10) == Waiting()
    stage(store, chunk_id)
    assert store.waiting(NOW, 10) == Waiting()


def test_a_chunk_left_half_way_is_named(store: SqlStore) -> None:
    prepared, let_go, claimed, held = plant(store, chunks=4)
    store.open_staging(hold_chunk(store, prepared, GONE), Room(SLOTS, 20), NOW)
    lease = hold_chunk(store, let_go)
    store.open_staging(lease, Room(SLOTS, 20), NOW)
    store.release(lease)
    stage(store, claimed)
    store.release(claim(store, claimed))
    store.open_staging(hold_chunk(store, held), Room(SLOTS, 20), NOW)
    assert store.waiting(NOW, 10).submits == (prepared, let_go, claimed)
    assert store.waiting(NOW, 2).submits == (prepared, let_go)


def test_a_row_that_rests_is_named_when_it_has_rested(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id)
    assert store.failed(held, "prepare", "throttled", NOW) == 1
    store.release(held)
    assert store.waiting(NOW, 10).submits == ()
    assert store.waiting(after(seconds=30), 10).submits == (chunk_id,)


@pytest.mark.parametrize(("times", "seconds"), [(1, 30), (2, 60), (5, 480), (8, 3600), (40, 3600)])
def test_failures_are_counted_by_kind_and_rest_longer_each_time(
    sqlite_store: SqlStore, times: int, seconds: int
) -> None:
    [chunk_id] = plant(sqlite_store)
    held = hold_chunk(sqlite_store, chunk_id)
    sqlite_store.failed(held, "fetch", "first", NOW)
    counts = [sqlite_store.failed(held, "prepare", "why", NOW) for _ in range(times)]
    sqlite_store.release(held)
    assert counts == list(range(1, times + 1))
    chunk = sqlite_store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.failures, chunk.last_error) == ({"fetch": 1, "prepare": times}, "why")
    assert sqlite_store.waiting(after(seconds=seconds - 1), 10).submits == ()
    assert sqlite_store.waiting(after(seconds=seconds), 10).submits == (chunk_id,)


def take_a_step(store: SqlStore, step: str, held: Held, chunk_id: str) -> None:
    """Bring a chunk that has failed on the way to a step past it."""
    if step == "staged":
        store.staged(held, 0, 0, NOW)
    elif step == "submitted":
        assert store.submitted(chunk_id, arn(chunk_id), NOW)
    elif step == "seen":
        assert store.job_seen(chunk_id, report(chunk_id, JobStatus.VALIDATING), NOW)
    else:
        store.give_slot_back(held, "too many jobs", NOW)


@pytest.mark.parametrize("step", ["staged", "submitted", "seen", "given back"])
def test_what_failed_on_the_way_to_a_step_counts_no_more_once_it_is_taken(store: SqlStore, step: str) -> None:
    [chunk_id] = plant(store)
    if step == "staged":
        held = hold_chunk(store, chunk_id)
        store.open_staging(held, Room(SLOTS, 20), NOW)
    else:
        stage(store, chunk_id)
        held = claim(store, chunk_id)
    assert [store.failed(held, "kind", "no answer", NOW) for _ in range(3)] == [1, 2, 3]
    take_a_step(store, step, held, chunk_id)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert (chunk.failures, chunk.wake_after) == ({}, None)


def test_a_chunk_tells_until_when_it_rests(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    store.failed(hold_chunk(store, chunk_id), "prepare", "throttled", NOW)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.wake_after == after(seconds=30)


def test_failures_of_one_kind_are_forgotten_and_others_are_not(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.partition("-")[0]
    held = hold_batch(store, batch_id)
    for kind in ("settle", "other", "settle"):
        store.failed(held, kind, "no answer", NOW)
    store.recovered(held, "settle")
    store.recovered(held, "never")
    batch = store.batch(batch_id)
    assert batch is not None
    assert batch.failures == {"other": 1}
    assert store.failed(held, "settle", "no answer", NOW) == 1
    store.release(held)
    with pytest.raises(LeaseLost):
        store.recovered(held, "settle")


def test_a_plan_that_goes_on_counts_from_nought(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    steps: list[Callable[[], None]] = [
        lambda: store.plan_files(held, [new_file(0)], {"phase": "cut"}),
        lambda: store.plan_chunks(held, [new_chunk(batch, 0, [0])], {"phase": "finish"}),
        lambda: store.finish_plan(held, NOW),
    ]
    for step in steps:
        assert store.failed(held, "plan", "throttled", NOW) == 1
        step()
    found = store.batch(batch.batch_id)
    assert found is not None
    assert found.failures == {}


def test_a_batch_rests_too(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    assert store.failed(held, "plan", "throttled", NOW) == 1
    store.release(held)
    assert store.waiting(NOW, 10).plans == ()
    assert store.waiting(after(minutes=1), 10).plans == (batch.batch_id,)


def test_a_chunk_of_a_cancelled_batch_is_named_once_nobody_holds_it(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    held = hold_chunk(store, chunk_id)
    store.cancel(chunk_id.partition("-")[0], "on request", NOW)
    assert store.waiting(NOW, 10).submits == ()
    store.release(held)
    assert store.waiting(NOW, 10).submits == (chunk_id,)


def test_a_chunk_is_named_for_reading_then_settling_then_cleaning(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.partition("-")[0]
    submit(store, chunk_id)
    assert store.waiting(NOW, 10) == Waiting()
    end_job(store, chunk_id)
    assert store.waiting(NOW, 10) == Waiting(ingests=(chunk_id,))
    held = hold_chunk(store, chunk_id)
    assert store.waiting(NOW, 10) == Waiting()
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    store.release(held)
    assert store.waiting(NOW, 10) == Waiting(settles=(batch_id,), cleanups=(chunk_id,))
    settling = hold_batch(store, batch_id)
    store.finish_batch(settling, changes_of(store, settling.id), BatchState.COMPLETED, "", NOW)
    assert store.waiting(NOW, 10) == Waiting(cleanups=(chunk_id,))
    store.cleaned(hold_chunk(store, chunk_id), 3, 100, NOW)
    assert store.waiting(NOW, 10) == Waiting()


@pytest.mark.parametrize("status", sorted(JOB_ENDS))
def test_a_chunk_is_named_for_cleaning_when_the_rule_lets_it_go(store: SqlStore, status: JobStatus) -> None:
    chunk_id = completed(store, status=status)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    for minutes in (0, 59, 60):
        named = store.waiting(after(minutes=minutes), 10).cleanups
        assert (named == (chunk_id,)) is may_clean(chunk, after(minutes=minutes)), minutes
    assert may_clean(chunk, after(minutes=60))
    assert may_clean(chunk, NOW) is (status not in {JobStatus.STOPPED, JobStatus.EXPIRED})


def test_a_chunk_whose_output_came_late_is_named_for_reading_and_not_for_cleaning(store: SqlStore) -> None:
    chunk_id = completed(store, status=JobStatus.STOPPED)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(0), judged(1, Outcome.MISSING, error_code="JOB_STOPPED")], NOW)
    store.output_came_late(held, "late", "1 answer came late", after(hours=1))
    store.release(held)
    found = store.chunk(chunk_id)
    assert found is not None
    assert (found.state, found.unread, found.failures) == (ChunkState.FAILED, True, {"late": 1})
    assert store.waiting(after(hours=1), 10).ingests == (chunk_id,)
    assert store.waiting(after(hours=1), 10).cleanups == ()
    assert store.outcomes(chunk_id) == {("combined", "SUCCEEDED"): 1, ("combined", "MISSING"): 1}


def test_a_chunk_whose_late_reading_was_cut_short_is_named_for_reading_until_its_end(store: SqlStore) -> None:
    chunk_id = planted_failed(store)
    assert store.waiting(NOW, 10).ingests == (chunk_id,)
    held = hold_chunk(store, chunk_id)
    store.save(held, [judged(0), judged(1)], NOW)
    store.release(held)
    found = store.chunk(chunk_id)
    assert found is not None
    assert found.unread
    assert store.waiting(NOW, 10).ingests == (chunk_id,)
    assert store.unread_chunks(found.batch_id) == [chunk_id]
    store.end_chunk(hold_chunk(store, chunk_id), ChunkState.COMPLETED, "", NOW)
    found = store.chunk(chunk_id)
    assert found is not None
    assert not found.unread
    assert store.waiting(NOW, 10).ingests == ()


def test_a_chunk_that_failed_without_output_is_not_named_for_reading(store: SqlStore) -> None:
    chunk_id = planted_failed(store, "JOB_FAILED")
    found = store.chunk(chunk_id)
    assert found is not None
    assert not found.unread
    assert store.waiting(NOW, 10).ingests == ()


def planted_failed(store: SqlStore, code: str = "RESULT_FETCH_FAILED") -> str:
    """Put a chunk there whose records all ended as MISSING."""
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, code, "", NOW)
    store.end_chunk(held, ChunkState.FAILED, "", NOW)
    store.release(held)
    return chunk_id


def test_chunks_of_an_unfinished_plan_are_left_alone(store: SqlStore) -> None:
    batch = new_batch()
    store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(0)], {})
    chunk = new_chunk(batch, 0, [0])
    store.plan_chunks(held, [chunk], {})
    assert store.take(Leased.CHUNK, chunk.chunk_id, GONE) is not None
    assert store.waiting(NOW, 10) == Waiting()


def test_models_are_named_once_for_each_base_model_while_chunks_are_on_their_way(store: SqlStore) -> None:
    plant(store, "a", chunks=2)
    plant(store, "b", model="global.amazon.nova-2-lite-v1:0")
    [other] = plant(store, "c", model="us.amazon.nova-lite-v1:0")
    assert list(store.models()) == ["global.amazon.nova-2-lite-v1:0", "us.amazon.nova-lite-v1:0"]
    store.end_chunk(hold_chunk(store, other), ChunkState.FAILED, "", NOW)
    assert len(store.models()) == 1
    assert streak(store, MODEL) == 0


def test_the_same_finding_again_only_refreshes_it(store: SqlStore) -> None:
    store.find("cleanup_failing", "b1-000", "2 objects stayed", NOW)
    store.find("cleanup_failing", "b1-000", "1 object stayed", after(hours=1))
    store.find("cleanup_failing", "b2-000", "1 object stayed", NOW)
    with store.database.read() as connection:
        found = connection.execute(findings.select().order_by(findings.c.subject)).all()
    assert [(row.subject, row.detail, row.first_seen, row.last_seen) for row in found] == [
        ("b1-000", "1 object stayed", NOW, after(hours=1)),
        ("b2-000", "1 object stayed", NOW, NOW),
    ]


def test_a_finding_that_is_settled_is_gone_and_no_other(store: SqlStore) -> None:
    for kind, subject in (("a", "b1-000"), ("a", "b2-000"), ("b", "b1-000")):
        store.find(kind, subject, "so it is", NOW)
    store.settled("a", "b1-000")
    store.settled("a", "b1-000", "b3-000")
    store.settled("b")
    with store.database.read() as connection:
        found = connection.execute(findings.select()).all()
    assert {(row.kind, row.subject) for row in found} == {("a", "b2-000"), ("b", "b1-000")}


def found_in(store: SqlStore) -> set[tuple[str, str]]:
    with store.database.read() as connection:
        return {(row.kind, row.subject) for row in connection.execute(findings.select())}


def test_findings_are_forgotten_once_their_cause_is_gone(store: SqlStore) -> None:
    rests, [works, ends] = plant(store, "a")[0], plant(store, "b", chunks=2)
    submit(store, ends)
    held = hold_chunk(store, rests)
    store.failed(held, "cleanup", "2 objects stayed", NOW)
    told = {
        ("cleanup_failing", rests),
        ("job_unknown", arn(ends)),
        ("model_unknown", MODEL),
        ("plan_failed", works),
    }
    for kind, subject in {
        *told,
        ("cleanup_failing", works),
        ("job_not_stopped", "arn:gone"),
        ("model_unknown", "m"),
    }:
        store.find(kind, subject, "so it is", NOW)
    store.forget_outlived(NOW)
    assert found_in(store) == told
    store.recovered(held, "cleanup")
    end_job(store, ends)
    store.forget_outlived(NOW)
    assert found_in(store) == {("model_unknown", MODEL), ("plan_failed", works)}
    store.forget_outlived(after(hours=7 * 24 + 1))
    assert found_in(store) == {("model_unknown", MODEL)}


def test_a_batch_that_rests_keeps_its_finding_until_it_goes_on(store: SqlStore) -> None:
    plant(store, "a")
    held = hold_batch(store, new_batch("a").batch_id)
    store.failed(held, "settle", "no", NOW)
    store.find("settle_failing", held.id, "no", NOW)
    store.forget_outlived(NOW)
    assert found_in(store) == {("settle_failing", held.id)}
    store.recovered(held, "settle")
    store.forget_outlived(NOW)
    assert found_in(store) == set()
