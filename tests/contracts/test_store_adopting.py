"""Output of others in the store: page by page, every file once, its chunk read and never sent."""

from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from consumers.core.foreign import ADOPTING, PlacedFile
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Held, NewChunk, NewRecord
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import days, models
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    NOW,
    after,
    arn,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_chunk,
    new_file,
    report,
)

SOURCE = "s3://media/old/"
CURSOR = {"phase": ADOPTING, "adopted": SOURCE}
BATCH = replace(new_batch(f"adopt:{SOURCE}", model="unknown"), cursor=CURSOR)
ID = BATCH.batch_id
CHUNK = replace(new_chunk(BATCH, 0, []), output_uri=SOURCE)


def part(*records: tuple[int, str]) -> NewChunk:
    names = {position: str(1000 + position) for position, _ in records}
    sent = tuple(NewRecord(position, name, 1, 4096) for position, name in records)
    return replace(CHUNK, safe_names=names, records=sent)


def taken_in(store: SqlStore) -> Held:
    assert store.accept(BATCH)
    held = hold_batch(store, ID)
    store.adopt_page(
        held, part((0, "combined"), (1, "combined")), [new_file(0), new_file(1)], {**CURSOR, "next": 2}
    )
    again = replace(new_file(1), analysis_types=("combined", "summary"))
    for _ in range(2):
        store.adopt_page(
            held, part((1, "summary"), (2, "combined")), [again, new_file(2)], {**CURSOR, "next": 3}
        )
    return held


def test_pages_add_files_once_and_types_to_files_that_are_there(store: SqlStore) -> None:
    taken_in(store)
    assert store.placed_files(ID, ["1000", "1001", "9"]) == {
        "1000": PlacedFile(0, ("combined",)),
        "1001": PlacedFile(1, ("combined", "summary")),
    }
    batch, count = store.batch(ID), store.count(ID)
    assert batch is not None
    assert (batch.state, batch.cursor) == (BatchState.PLANNING, {**CURSOR, "next": 3})
    assert (count.files, count.records) == (3, 4)


def test_at_its_end_the_chunk_waits_for_its_reading_and_nothing_is_bought(store: SqlStore) -> None:
    held = taken_in(store)
    for _ in range(2):
        store.end_adopting(held, CHUNK.chunk_id, 5, None, "nothing is bought", NOW)
    chunk, batch = store.chunk(CHUNK.chunk_id), store.batch(ID)
    assert chunk is not None
    assert batch is not None
    assert (chunk.state, chunk.files, chunk.records, chunk.padding) == (ChunkState.ENDED, 3, 4, 5)
    assert (chunk.output_uri, chunk.job) == (SOURCE, None)
    assert (batch.state, batch.stopped) == (BatchState.RUNNING, "nothing is bought")
    assert store.waiting(NOW, 9).ingests == (CHUNK.chunk_id,)
    assert [plan.output_uri for plan in store.chunk_plans(ID, 0)] == [SOURCE]


def test_its_job_is_known_takes_no_slot_proves_nothing_and_costs_on_its_own_day(store: SqlStore) -> None:
    held = taken_in(store)
    job = replace(report(CHUNK.chunk_id, JobStatus.COMPLETED), ended_at=after(hours=1), model=BATCH.model)
    store.end_adopting(held, CHUNK.chunk_id, 0, job, "nothing is bought", after(days=40))
    assert not store.open_jobs()
    mine = hold_chunk(store, CHUNK.chunk_id)
    store.save(mine, [judged(0, cost_usd=Decimal("0.5"))], after(days=40))
    store.close_records(mine, Outcome.MISSING, "NOT_IN_OUTPUT", "no line", after(days=40))
    store.end_chunk(mine, ChunkState.COMPLETED, "", after(days=40))
    found = store.chunk_of_job(arn(CHUNK.chunk_id), "")
    assert found is not None
    assert found.chunk_id == CHUNK.chunk_id
    with store.database.read() as connection:
        assert [tuple(row) for row in connection.execute(select(days))] == [("2026-01-05", Decimal("0.5"))]
        assert not any(connection.execute(select(models.c.proven)).scalars())
