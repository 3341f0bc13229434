"""A job is seen going forward only, in whatever order its events come."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.core.lifecycle import JOB_ENDS, ChunkState, JobStatus
from daemon.adapters.store import SqlStore
from tests.contracts.planting import NOW, after, arn, claim, hold_chunk, plant, report, stage, submit


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=st.lists(st.sampled_from(list(JobStatus)), min_size=1, max_size=6))
def test_a_job_goes_forward_only(store: SqlStore, seen: Sequence[JobStatus]) -> None:
    [chunk_id] = plant(store, uuid4().hex)
    submit(store, chunk_id)
    changes = [store.job_seen(chunk_id, report(chunk_id, status), NOW) for status in seen]
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.job is not None
    ends = [status for status in seen if status in JOB_ENDS]
    if ends:
        assert (chunk.state, chunk.job.status) == (ChunkState.ENDED, ends[0])
        assert not any(changes[seen.index(ends[0]) + 1 :])
    else:
        moved = ChunkState.IN_PROGRESS if JobStatus.IN_PROGRESS in seen else ChunkState.SUBMITTED
        assert chunk.state in {moved, ChunkState.SUBMITTED}
    assert (chunk_id in {job.chunk_id for job in store.open_jobs()}) is not bool(ends)


@pytest.mark.parametrize("status", sorted(JOB_ENDS))
def test_every_end_frees_the_slot_and_comes_once(store: SqlStore, status: JobStatus) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    assert store.job_seen(chunk_id, report(chunk_id, status), NOW)
    assert not store.job_seen(chunk_id, report(chunk_id, status), after(hours=1))
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.job is not None
    assert (chunk.state, chunk.job.status, chunk.job.ended_at) == (ChunkState.ENDED, status, NOW)
    assert store.open_jobs() == []


def test_seeing_the_same_status_again_is_no_change(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    assert store.job_seen(chunk_id, report(chunk_id, JobStatus.IN_PROGRESS), NOW)
    assert not store.job_seen(chunk_id, report(chunk_id, JobStatus.IN_PROGRESS), NOW)


def test_a_claim_is_an_open_job_without_arn(store: SqlStore) -> None:
    first, second = plant(store, chunks=2)
    stage(store, first)
    held = claim(store, first)
    submit(store, second, after(minutes=1))
    jobs = store.open_jobs()
    assert [(job.chunk_id, job.arn, job.leased) for job in jobs] == [
        (first, None, True),
        (second, arn(second), False),
    ]
    store.release(held)
    store.cancel(first.partition("-")[0], "on request", NOW)
    assert [(job.leased, job.cancelled) for job in store.open_jobs()] == [(False, True), (False, True)]


def test_the_arn_is_stored_once(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    assert not store.submitted(chunk_id, "another arn", NOW)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.job is not None
    assert chunk.job.arn == arn(chunk_id)


def test_a_job_that_has_an_arn_cannot_be_given_back(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    submit(store, chunk_id)
    store.give_slot_back(hold_chunk(store, chunk_id), "late", NOW)
    assert len(store.open_jobs()) == 1
