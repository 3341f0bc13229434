"""Commitments: what open jobs may cost and ended ones did, by batch and by day."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from sqlalchemy import select, update

from consumers.core.gate import Room
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Gate, Spent
from daemon.adapters.store import SqlStore, make_engine
from daemon.adapters.store.model_rows import lock_model
from daemon.adapters.tables import batches, chunks, days
from schemas.models import base_model
from schemas.outcomes import Outcome
from tests.contracts.planting import (
    MODEL,
    NOW,
    SLOTS,
    after,
    arn,
    claim,
    end_job,
    hold_batch,
    hold_chunk,
    job_name,
    judged,
    plant,
    prove,
    report,
    stage,
    submit,
)

LITE = "us.amazon.nova-lite-v1:0"
TODAY, TOMORROW = "2026-01-05", "2026-01-06"


def usd(*amounts: float) -> list[Decimal | None]:
    return [Decimal(str(amount)) for amount in amounts]


def room(day: float | None = None) -> Room:
    return Room(SLOTS, 20, None if day is None else Decimal(str(day)))


def ask(store: SqlStore, chunk_id: str, day: float | None = None, hours: float = 0) -> Gate:
    """Ask for a slot and let the lease go, whatever the answer."""
    held = hold_chunk(store, chunk_id)
    gate = store.claim_slot(held, job_name(chunk_id), chunk_id, room(day), after(hours=hours))
    store.release(held)
    return gate


def batch_sum(store: SqlStore, chunk_id: str) -> Decimal:
    batch = store.batch(chunk_id.rpartition("-")[0])
    assert batch is not None
    return batch.committed_usd


def day_sums(store: SqlStore) -> dict[str, Decimal]:
    with store.database.read() as connection:
        return {row.day: row.committed_usd for row in connection.execute(select(days))}


def committed(store: SqlStore, chunk_id: str) -> tuple[Decimal | None, str | None]:
    asked = select(chunks.c.committed_usd, chunks.c.committed_on).where(chunks.c.chunk_id == chunk_id)
    with store.database.read() as connection:
        row = connection.execute(asked).one()
        return row.committed_usd, row.committed_on


def end(store: SqlStore, chunk_id: str, *costs: str | None, padding: str = "0", hours: float = 0) -> None:
    """End a submitted chunk whose records cost so much."""
    end_job(store, chunk_id, after(hours=hours))
    held = hold_chunk(store, chunk_id)
    positions = [file.position for file in store.chunk_files(chunk_id)]
    told = [
        judged(position, cost_usd=None if cost is None else Decimal(cost), input_tokens=1, output_tokens=1)
        for position, cost in zip(positions, costs, strict=True)
    ]
    store.save(held, told, NOW)
    store.save_padding(held, Spent(1, 1, Decimal(padding)))
    store.end_chunk(held, ChunkState.COMPLETED, "", after(hours=hours))
    store.release(held)


def test_a_claim_commits_the_estimate_and_the_end_the_true_cost(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, costs=usd(2, 3))
    submit(store, first)
    submit(store, second)
    assert batch_sum(store, first) == 5
    assert day_sums(store) == {TODAY: Decimal(5)}
    end(store, first, "0.25", "0.5", padding="0.125")
    assert committed(store, first) == (Decimal("0.875"), TODAY)
    assert batch_sum(store, first) == Decimal("3.875")
    assert day_sums(store) == {TODAY: Decimal("3.875")}


def test_an_own_claim_asked_for_again_commits_nothing_more(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2))
    stage(store, chunk_id)
    assert [ask(store, chunk_id), ask(store, chunk_id)] == [Gate.OPEN] * 2
    assert batch_sum(store, chunk_id) == 2


def test_a_claim_given_back_commits_nothing(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2))
    stage(store, chunk_id)
    store.give_slot_back(claim(store, chunk_id), "quota", NOW)
    assert committed(store, chunk_id) == (None, None)
    assert batch_sum(store, chunk_id) == 0
    assert day_sums(store) == {TODAY: Decimal(0)}


def test_a_claim_that_became_no_job_costs_nothing(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2))
    stage(store, chunk_id)
    store.end_chunk(claim(store, chunk_id), ChunkState.FAILED, "denied", NOW)
    assert committed(store, chunk_id) == (None, None)
    assert batch_sum(store, chunk_id) == 0


def test_the_cost_of_a_job_counts_on_the_day_it_was_claimed(store: SqlStore) -> None:
    first, second = plant(store, chunks=2, costs=usd(2, 3), files=1)
    submit(store, first)
    submit(store, second, after(hours=14))
    end(store, first, "0.5", hours=15)
    assert day_sums(store) == {TODAY: Decimal("0.5"), TOMORROW: Decimal(3)}


def test_while_the_true_cost_is_unknown_the_estimate_stands(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2))
    submit(store, chunk_id)
    end(store, chunk_id, "0.5", None)
    assert committed(store, chunk_id) == (Decimal(2), TODAY)


def test_output_that_was_read_late_puts_its_cost_right(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2), files=1)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, "RESULT_FETCH_FAILED", "no answer", NOW)
    store.end_chunk(held, ChunkState.FAILED, "no answer", NOW)
    assert batch_sum(store, chunk_id) == 2
    store.save(held, [judged(0, cost_usd=Decimal("0.5"))], NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    assert batch_sum(store, chunk_id) == Decimal("0.5")


def test_a_job_without_output_costs_nothing(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(2))
    submit(store, chunk_id)
    assert store.job_seen(chunk_id, report(chunk_id, JobStatus.FAILED), NOW)
    held = hold_chunk(store, chunk_id)
    store.close_records(held, Outcome.MISSING, "JOB_FAILED", "denied", NOW)
    store.end_chunk(held, ChunkState.FAILED, "denied", NOW)
    assert committed(store, chunk_id) == (Decimal(0), TODAY)
    assert batch_sum(store, chunk_id) == 0


def test_an_estimate_sums_what_is_not_bought_and_is_unknown_where_a_price_is(store: SqlStore) -> None:
    ids = plant(store, chunks=3, costs=usd(1, 2, 4))
    batch_id = ids[0].rpartition("-")[0]
    assert store.estimate(batch_id) == 7
    submit(store, ids[0])
    assert store.estimate(batch_id) == 6
    [priced, unpriced] = plant(store, "unpriced", chunks=2, costs=usd(1))
    assert store.estimate(priced.rpartition("-")[0]) is None
    assert store.estimate("b" + "0" * 20) == 0
    assert store.backlog(MODEL) == 3 + 2
    assert unpriced


# ── gates ──────────────────────────────────────────────────────────────────────────────────────


def test_a_batchs_budget_lets_chunks_wait_for_its_open_jobs_and_then_stops_it(store: SqlStore) -> None:
    ids = plant(store, chunks=3, files=1, costs=usd(4, 4, 4), budget=Decimal(8))
    for chunk_id in ids:
        stage(store, chunk_id) if chunk_id != ids[2] else None
    assert [ask(store, chunk_id) for chunk_id in ids[:2]] == [Gate.OPEN] * 2
    held = hold_chunk(store, ids[2])
    assert store.open_staging(held, room(), NOW) is Gate.BUDGET
    assert store.next_up(MODEL, room(), NOW) == ()
    for chunk_id in ids[:2]:
        store.submitted(chunk_id, arn(chunk_id), NOW)
    end(store, ids[0], "3.9")
    end_job(store, ids[1])
    assert store.next_up(MODEL, room(), NOW) == ()
    held = hold_chunk(store, ids[2])
    assert store.open_staging(held, room(), NOW) is Gate.BUDGET
    held = hold_chunk(store, ids[1])
    store.save(held, [judged(1, cost_usd=Decimal("3.9"))], NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    assert store.next_up(MODEL, room(), NOW) == (ids[2],)
    assert store.open_staging(hold_chunk(store, ids[2]), room(), NOW) is Gate.STOPPED


def test_a_batch_that_cannot_pay_leaves_its_turn_to_others(store: SqlStore) -> None:
    [one, two] = plant(store, "poor", chunks=2, costs=usd(4, 4), budget=Decimal(5), priority=9)
    [other] = plant(store, "other", costs=usd(100))
    submit(store, one)
    assert store.next_up(MODEL, room(), NOW) == (other,)
    assert store.next_up(MODEL, Room(2, 0), NOW) == (other,)
    assert two


def test_a_day_that_cannot_pay_a_chunk_may_pay_a_smaller_one_and_begins_anew_at_midnight_utc(
    store: SqlStore,
) -> None:
    [first] = plant(store, "first", costs=usd(4))
    large, small = plant(store, "second", chunks=2, costs=usd(4, 1))
    for chunk_id in (first, large, small):
        stage(store, chunk_id)
    assert ask(store, first, day=6) is Gate.OPEN
    assert ask(store, large, day=6) is Gate.BUDGET
    assert store.next_up(MODEL, room(6), NOW) == (small,)
    assert ask(store, small, day=6) is Gate.OPEN
    assert store.next_up(MODEL, room(6), after(hours=13.9)) == ()
    assert store.next_up(MODEL, room(6), after(hours=14)) == (large,)
    assert ask(store, large, day=6, hours=14) is Gate.OPEN


def test_a_chunk_dearer_than_a_whole_day_is_named_so_that_its_batch_ends(store: SqlStore) -> None:
    [chunk_id] = plant(store, costs=usd(7))
    stage(store, chunk_id)
    assert store.next_up(MODEL, room(6), NOW) == (chunk_id,)
    assert ask(store, chunk_id, day=6) is Gate.STOPPED


@pytest.mark.parametrize("budget", [None, Decimal(100)])
def test_what_has_no_price_is_bought_only_without_a_budget(store: SqlStore, budget: Decimal | None) -> None:
    [chunk_id] = plant(store, costs=[None], budget=budget)
    asked = store.open_staging(hold_chunk(store, chunk_id), room(), NOW)
    assert asked is (Gate.OPEN if budget is None else Gate.STOPPED)


def test_what_is_staged_takes_from_what_can_be_staged(store: SqlStore) -> None:
    ids = plant(store, chunks=3, costs=usd(2, 2, 2), budget=Decimal(5))
    assert store.next_up(MODEL, room(), NOW) == tuple(ids)
    for chunk_id in ids[:2]:
        stage(store, chunk_id)
    assert store.open_staging(hold_chunk(store, ids[2]), room(), NOW) is Gate.BUDGET
    assert store.next_up(MODEL, room(), NOW) == tuple(ids[:2])
    [other] = plant(store, "other", costs=usd(2))
    assert store.next_up(MODEL, room(5), NOW) == tuple(ids[:2])
    assert store.next_up(MODEL, room(6), NOW) == (*ids[:2], other)


def test_who_is_named_as_next_is_whom_the_gate_does_not_let_wait(store: SqlStore) -> None:
    for number, (budget, day, estimate) in enumerate(product((None, 3, 6), (None, 2, 4), (1, 3, 5))):
        own_day, space = 24.0 * number, replace(room(day), slots=1000)
        one, two = plant(store, str(number), chunks=2, costs=usd(1, estimate))
        stage(store, one)
        stage(store, two)
        set_budget(store, one, budget)
        assert ask(store, one, day, own_day) is Gate.OPEN
        named = two in store.next_up(MODEL, space, after(hours=own_day))
        gate = store.claim_slot(hold_chunk(store, two), job_name(two), "t", space, after(hours=own_day))
        assert named is (gate is not Gate.BUDGET), (budget, day, estimate)
        store.job_seen(one, report(one, JobStatus.COMPLETED), NOW)
        store.job_seen(two, report(two, JobStatus.COMPLETED), NOW)


def test_who_is_named_for_a_stage_place_is_whom_the_gate_does_not_let_wait(store: SqlStore) -> None:
    for number, (budget, day, estimate) in enumerate(product((None, 3, 6), (None, 2, 4), (1, 3, 5))):
        model = f"us.model-{number}"
        one, two = plant(store, str(number), chunks=2, costs=usd(1, estimate), model=model)
        stage(store, one)
        set_budget(store, one, budget)
        named = two in store.next_up(model, room(day), NOW)
        gate = store.open_staging(hold_chunk(store, two), room(day), NOW)
        assert named is (gate is not Gate.BUDGET), (budget, day, estimate)


def set_budget(store: SqlStore, chunk_id: str, budget: int | None) -> None:
    """Give the batch of a chunk a budget after all."""
    mine = update(batches).where(batches.c.batch_id == chunk_id.rpartition("-")[0])
    with store.database.write() as connection:
        connection.execute(mine.values(budget_usd=None if budget is None else Decimal(budget)))


# ── at the same moment ─────────────────────────────────────────────────────────────────────────


def test_two_models_at_once_never_commit_more_than_a_day_allows(store: SqlStore, database_url: str) -> None:
    prove(store, LITE)
    ids = plant(store, "a", chunks=10, costs=usd(*[1] * 10), files=1)
    ids += plant(store, "b", chunks=10, costs=usd(*[1] * 10), files=1, model=LITE)
    for chunk_id in ids:
        stage(store, chunk_id)
    stores = [SqlStore(make_engine(database_url)) for _ in range(4)]

    def claims(number: int) -> int:
        return sum(ask(stores[number], chunk_id, day=7) is Gate.OPEN for chunk_id in ids[number::4])

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(claims, range(4))) == 7
    for each in stores:
        each.engine.dispose()
    assert day_sums(store) == {TODAY: Decimal(7)}


# ── stops and canaries ─────────────────────────────────────────────────────────────────────────


def test_a_stopped_batch_ends_what_has_not_started_and_lets_its_jobs_go_on(store: SqlStore) -> None:
    ids = plant(store, chunks=4)
    batch_id = ids[0].rpartition("-")[0]
    submit(store, ids[0])
    stage(store, ids[1])
    held = hold_chunk(store, ids[2])
    for why in ("no money", "another reason"):
        store.stop_buying(batch_id, why, NOW)
    assert [state.value for _, state in store.chunk_ids(batch_id)] == [
        "SUBMITTED",
        "CANCELLED",
        "PLANNED",
        "CANCELLED",
    ]
    batch = store.batch(batch_id)
    assert batch is not None
    assert (batch.stopped, batch.cancelled) == ("no money", False)
    assert store.outcomes(ids[1]) == {("combined", Outcome.NOT_BOUGHT): 2}
    assert [each.error_message for each in store.failed_records(batch_id)] == ["no money"] * 4
    assert store.open_staging(held, room(), NOW) is Gate.STOPPED
    store.release(held)
    assert store.next_up(MODEL, room(), NOW) == ()
    assert store.waiting(NOW, 10).submits == (ids[2],)
    store.stop_buying("b" + "0" * 20, "unknown", NOW)


def test_a_batch_that_ended_is_not_stopped(store: SqlStore) -> None:
    [chunk_id] = plant(store)
    batch_id = chunk_id.rpartition("-")[0]
    store.cancel(batch_id, "", NOW)
    held = hold_batch(store, batch_id)
    batch = store.batch(batch_id)
    assert batch is not None
    assert store.finish_batch(held, batch.changes, BatchState.CANCELLED, "", NOW)
    store.stop_buying(batch_id, "too late", NOW)
    assert replace(batch, state=BatchState.CANCELLED, finished_at=NOW) == store.batch(batch_id)


def test_only_a_canary_starts_until_it_is_released(store: SqlStore) -> None:
    ids = plant(store, chunks=4, files=2, canary=2)
    batch_id = ids[0].rpartition("-")[0]
    assert store.next_up(MODEL, room(), NOW) == tuple(ids[:2])
    assert store.open_staging(hold_chunk(store, ids[2]), room(), NOW) is Gate.NO_ROOM
    for chunk_id in ids[:2]:
        submit(store, chunk_id)
    assert store.next_up(MODEL, room(), NOW) == ()
    assert store.canary(batch_id).open == 2
    end(store, ids[0], "1", "1")
    assert store.waiting(NOW, 10).settles == ()
    end_job(store, ids[1])
    held = hold_chunk(store, ids[1])
    told = [judged(2, Outcome.TRUNCATED, repaired=True), judged(3, Outcome.MODEL_ERROR)]
    store.save(held, told, NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    counted = store.canary(batch_id)
    assert (counted.open, counted.records, counted.good) == (0, 4, 3)
    assert store.waiting(NOW, 10).settles == (batch_id,)
    lease = hold_batch(store, batch_id)
    store.release_canary(lease)
    store.release(lease)
    assert store.next_up(MODEL, room(), NOW) == tuple(ids[2:])
    assert store.waiting(NOW, 10).settles == ()
    counted = store.canary(batch_id)
    assert (counted.open, counted.records, counted.good) == (0, 0, 0)


def test_a_canary_is_not_released_while_a_chunk_is_at_a_gate(store: SqlStore) -> None:
    """The chunk parks before the release, so whoever releases sees it waiting."""
    [first, _] = plant(store, chunks=2, canary=1)
    lease = hold_batch(store, first.rpartition("-")[0])
    with ThreadPoolExecutor(1) as threads:
        with store.database.write() as connection:
            lock_model(connection, base_model(MODEL))
            released = threads.submit(store.release_canary, lease)
            with pytest.raises(TimeoutError):
                released.result(timeout=0.3)
        released.result(timeout=10)
