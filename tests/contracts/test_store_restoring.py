"""A lost store is filled again: the same on both databases, and the same again."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.restored import (
    REFUSED,
    RESTORING,
    UNKNOWN,
    ChunkEnd,
    KeptResult,
    RestoredChunk,
    Standing,
)
from consumers.core.rows import Held, JobCounts, NewChunk, Spent
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import days, models
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    MODEL,
    NOW,
    after,
    arn,
    hold_batch,
    job_name,
    new_batch,
    new_chunk,
    new_file,
    report,
    streak,
)

BATCH = replace(new_batch(), cursor={"phase": RESTORING})
ID = BATCH.batch_id
PRICE = Decimal("0.25")
STORED = ChunkEnd(
    ChunkState.COMPLETED,
    "",
    Outcome.MISSING,
    "NOT_IN_OUTPUT",
    "nothing",
    padded=7,
    padding=Spent(10, 7, PRICE),
)


def begin(store: SqlStore, files: int = 4) -> Held:
    store.accept(BATCH)
    held = hold_batch(store, ID)
    store.begin_restoring(held)
    store.restore_files(held, [new_file(position) for position in range(files)])
    return held


def chunk(index: int, positions: Sequence[int], *, round: int = 0, attempt: int = 1) -> NewChunk:
    return replace(new_chunk(BATCH, index, positions, round=round, attempt=attempt), estimate_usd=Decimal(2))


def with_job(planned: NewChunk, status: JobStatus = JobStatus.COMPLETED) -> RestoredChunk:
    told = report(planned.chunk_id, status)
    ended = after(hours=1) if status is JobStatus.COMPLETED else None
    return RestoredChunk(planned, replace(told, ended_at=ended, counts=JobCounts(2, 2)), "token")


def result(position: int, outcome: str = "SUCCEEDED", **more: object) -> KeptResult:
    plain = KeptResult(
        file_id=str(1000 + position),
        bucket="media",
        s3_key=f"proxy/{position}.mov",
        outcome=outcome,
        created_at=after(minutes=70),
        etag="e",
        analysis_type="combined",
        attempt=1,
        result='{"summary":{}}' if outcome == "SUCCEEDED" else None,
        input_tokens=100,
        output_tokens=10,
        cost_usd=PRICE,
        prompt_version="v1",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def committed(store: SqlStore) -> dict[str, Decimal]:
    with store.database.read() as connection:
        return {row.day: row.committed_usd for row in connection.execute(select(days))}


def is_proven(store: SqlStore) -> bool:
    with store.database.read() as connection:
        return any(connection.execute(select(models.c.proven)).scalars())


def test_a_job_brings_its_chunk_as_far_as_it_is_and_commits_what_it_may_cost(store: SqlStore) -> None:
    held = begin(store)
    chunks = [
        with_job(chunk(0, [0])),
        with_job(chunk(1, [1]), JobStatus.SUBMITTED),
        RestoredChunk(chunk(2, [2])),
    ]
    for _ in range(2):
        store.restore_chunks(held, chunks, after(days=9))
    states = [state for _, state in store.chunk_ids(ID)]
    assert states == [ChunkState.ENDED, ChunkState.SUBMITTED, ChunkState.PLANNED]
    assert committed(store) == {"2026-01-05": Decimal(4)}
    assert is_proven(store)
    assert [job.name for job in store.open_jobs()] == [job_name(chunks[1].chunk.chunk_id)]
    found = store.chunk(chunks[0].chunk.chunk_id)
    assert found is not None
    assert found.job is not None
    assert (found.job.arn, found.job.ended_at) == (arn(found.chunk_id), after(hours=1))


def test_a_chunk_that_was_planned_before_its_job_was_lost_gets_it(store: SqlStore) -> None:
    held = begin(store)
    planned = chunk(0, [0, 1])
    store.restore_chunks(held, [RestoredChunk(planned)], NOW)
    store.restore_chunks(held, [with_job(planned, JobStatus.SUBMITTED)], NOW)
    store.restore_chunks(held, [with_job(planned)], NOW)
    assert store.chunk_ids(ID) == [(planned.chunk_id, ChunkState.ENDED)]


def test_a_part_gives_back_outcomes_money_and_files_that_were_refused(store: SqlStore) -> None:
    held = begin(store)
    restored = with_job(chunk(0, [0, 1, 2]))
    store.restore_chunks(held, [restored], NOW)
    refused = result(
        1, REFUSED, analysis_type=None, attempt=None, error_code="changed", error_message="twice"
    )
    for _ in range(2):
        store.restore_part(held, restored.chunk.chunk_id, [result(0), refused])
        store.restore_end(held, restored.chunk.chunk_id, STORED)
    found, count = store.chunk(restored.chunk.chunk_id), store.count(ID)
    assert found is not None
    assert (found.state, found.files, found.records, found.padding) == (ChunkState.COMPLETED, 2, 2, 7)
    assert found.bytes == 1000 + 1002
    assert (count.refused, count.good, count.outcomes) == (1, 1, {Outcome.SUCCEEDED: 1, Outcome.MISSING: 1})
    assert committed(store) == {"2026-01-05": 2 * PRICE}
    assert [file.code for file in store.planned_files(ID)] == ["", "changed", "", ""]
    assert streak(store) == 0


def test_another_content_than_planned_is_told_and_can_be_reused_unless_it_changed_between_attempts(
    store: SqlStore,
) -> None:
    held = begin(store)
    store.restore_chunks(held, [with_job(chunk(0, [0, 1])), with_job(chunk(1, [1], round=1, attempt=2))], NOW)
    told = [result(position, etag="new") for position in (0, 1)]
    store.restore_part(held, chunk(0, []).chunk_id, told)
    files = list(store.planned_files(ID))
    assert [file.etag for file in files] == ["new", "new", "e", "e"]
    batch = store.batch(ID)
    assert batch is not None
    assert store.reusable(batch, {("video", "combined"): "v1"}, files) == {
        (0, "combined"): f"{ID}/0/combined/1"
    }


def test_a_split_gives_its_records_to_the_new_chunks_and_tells_what_it_left_out(store: SqlStore) -> None:
    held = begin(store)
    old = chunk(0, [0, 1, 2])
    store.restore_chunks(held, [RestoredChunk(old)], NOW)
    new = [with_job(chunk(1, [0])), RestoredChunk(chunk(2, [2]))]
    assert store.restore_split(held, old.chunk_id, new, NOW)
    assert not store.restore_split(held, old.chunk_id, new, NOW)
    states = [state for _, state in store.chunk_ids(ID)]
    assert states == [ChunkState.CANCELLED, ChunkState.ENDED, ChunkState.PLANNED]
    assert [len(store.chunk_files(each.chunk.chunk_id)) for each in new] == [1, 1]
    assert [file.code for file in store.planned_files(ID)] == ["", UNKNOWN, "", ""]


def test_a_chunk_that_has_a_job_was_never_split(store: SqlStore) -> None:
    held = begin(store)
    old = with_job(chunk(0, [0, 1]))
    store.restore_chunks(held, [old], NOW)
    assert not store.restore_split(held, old.chunk.chunk_id, [RestoredChunk(chunk(1, [0, 1]))], NOW)
    assert len(store.chunk_ids(ID)) == 1


def test_the_best_attempt_counts_in_whatever_order_the_chunks_come_back(store: SqlStore) -> None:
    held = begin(store, files=1)
    first, again = with_job(chunk(0, [0])), with_job(chunk(1, [0], round=1, attempt=2))
    store.restore_chunks(held, [again, first], NOW)
    store.restore_part(held, again.chunk.chunk_id, [result(0, "MODEL_ERROR", attempt=2)])
    store.restore_part(held, first.chunk.chunk_id, [result(0)])
    for each in (again, first):
        store.restore_end(held, each.chunk.chunk_id, STORED)
    store.choose_restored(held)
    assert [(row.attempt, row.outcome) for row in store.result_rows(ID)] == [(1, "SUCCEEDED")]


def test_a_chunk_without_a_job_had_ended_if_what_it_sends_was_sent_again(store: SqlStore) -> None:
    held = begin(store)
    old, waits = chunk(0, [0, 1]), chunk(1, [2])
    again = chunk(2, [1], round=1, attempt=2)
    store.restore_chunks(held, [RestoredChunk(each) for each in (old, waits, again)], NOW)
    assert store.outdone_chunks(ID) == [old.chunk_id]
    end = ChunkEnd(ChunkState.FAILED, "why", Outcome.MISSING, "CHUNK_NOT_PREPARED", "why")
    store.restore_end(held, old.chunk_id, end)
    assert store.outdone_chunks(ID) == []
    assert store.outcomes(old.chunk_id) == {("combined", "MISSING"): 2}


def test_an_ended_batch_is_ended_again_with_what_it_told_and_no_second_time(store: SqlStore) -> None:
    held = begin(store)
    first, again = with_job(chunk(0, [0, 1])), with_job(chunk(1, [1], round=1, attempt=2))
    store.restore_chunks(held, [first, again], NOW)
    reused: dict[str, Any] = {
        "reused_from": f"{ID}/0/combined/1",
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": Decimal(0),
    }
    gone = result(3, REFUSED, analysis_type=None, attempt=None, error_code="not_found", error_message="gone")
    told = [result(0), result(1, "MODEL_ERROR"), replace(result(2), **reused), gone]
    for _ in range(2):
        store.restore_current(held, told)
    standing = Standing(3, 1, retried=2, first_round=1, end=BatchState.COMPLETED_WITH_ERRORS, reason="1 bad")
    for each in (first, again):
        store.restore_end(held, each.chunk.chunk_id, STORED)
    for _ in range(2):
        assert store.end_restoring(held, standing, after(days=9)) is BatchState.COMPLETED_WITH_ERRORS
    batch, count = store.batch(ID), store.count(ID)
    assert batch is not None
    assert (batch.revision, batch.round, batch.retried, batch.first_round) == (3, 1, 2, 1)
    assert (batch.reason, batch.finished_at, batch.cursor) == ("1 bad", after(hours=1), {"phase": "finish"})
    rows = [(row.file_id, row.attempt, row.outcome, bool(row.reused_from)) for row in store.result_rows(ID)]
    assert rows == [
        (1000, 1, "SUCCEEDED", False),
        (1001, 1, "MODEL_ERROR", False),
        (1002, 1, "SUCCEEDED", True),
        (1003, None, "REFUSED", False),
    ]
    assert (count.refused, count.reused, count.superseded.cost_usd) == (1, 1, Decimal(0))


def test_a_batch_that_had_not_ended_goes_on_and_waits_for_its_canary(store: SqlStore) -> None:
    held = begin(store)
    store.restore_chunks(held, [RestoredChunk(chunk(n, [n])) for n in range(3)], NOW)
    assert store.end_restoring(held, Standing(1, 0, canary=1), NOW) is BatchState.PLANNED
    batch = store.batch(ID)
    assert batch is not None
    assert batch.canary == 1


def test_a_canary_that_let_others_through_holds_nobody_back(store: SqlStore) -> None:
    held = begin(store)
    store.restore_chunks(held, [with_job(chunk(n, [n]), JobStatus.SUBMITTED) for n in range(3)], NOW)
    assert store.end_restoring(held, Standing(1, 0, canary=1), NOW) is BatchState.RUNNING
    batch = store.batch(ID)
    assert batch is not None
    assert batch.canary is None


def test_what_stands_further_in_the_store_stays(store: SqlStore) -> None:
    held = begin(store)
    ended = Standing(2, 0, end=BatchState.FAILED, reason="all bad")
    assert store.end_restoring(held, ended, NOW) is BatchState.FAILED
    assert store.end_restoring(held, Standing(1, 0), NOW) is BatchState.FAILED
    assert store.end_restoring(held, Standing(3, 4), NOW) is BatchState.RUNNING
    batch = store.batch(ID)
    assert batch is not None
    assert (batch.revision, batch.round, batch.finished_at) == (3, 4, None)


def test_submissions_are_held_once_and_other_pauses_outlive_it(store: SqlStore) -> None:
    store.hold_submissions("rebuild", NOW)
    store.hold_submissions("another", NOW)
    store.free_submissions("another")
    assert paused(store) == ["rebuild"]
    store.free_submissions("rebuild")
    assert paused(store) == []
    store.pause(MODEL, "three failures", NOW)
    store.free_submissions("rebuild")
    assert paused(store) == ["three failures"]


def paused(store: SqlStore) -> list[str]:
    with store.database.read() as connection:
        asked = select(models.c.paused_reason).where(models.c.paused_reason.is_not(None))
        return list(connection.execute(asked).scalars())
