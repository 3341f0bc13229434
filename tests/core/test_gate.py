"""May a chunk go on, and which goes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.gate import (
    FAILURES_BEFORE_PAUSE,
    Candidate,
    ChunkView,
    ModelView,
    Room,
    choose,
    in_order,
    may_claim,
    may_stage,
    next_block,
    pause_reason,
    rank_of,
    rest_of,
)
from consumers.core.lifecycle import ChunkState
from consumers.core.purse import Purse, left_after, may_pay
from consumers.core.rows import Gate

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
READY = ChunkView(ChunkState.READY)
PLANNED = ChunkView(ChunkState.PLANNED)

waiting = st.builds(
    Candidate,
    chunk_id=st.uuids().map(str),
    batch_id=st.sampled_from("abc"),
    priority=st.integers(-2, 2),
    created_at=st.integers(0, 300).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    number=st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("chunk", "model", "gate"),
    [
        (READY, ModelView(), Gate.OPEN),
        (READY, ModelView(jobs_open=20), Gate.NO_ROOM),
        (READY, ModelView(paused=True), Gate.PAUSED),
        (READY, ModelView(blocked_until=NOW + timedelta(seconds=1)), Gate.BLOCKED),
        (READY, ModelView(blocked_until=NOW), Gate.OPEN),
        (READY, ModelView(blocked_until=NOW, jobs_open=1, unconfirmed=1), Gate.BLOCKED),
        (READY, ModelView(proven=False, jobs_open=2), Gate.OPEN),
        (READY, ModelView(proven=False, jobs_open=3), Gate.NO_ROOM),
        (READY, ModelView(proven=False, jobs_open=1, failed=1, unread=1), Gate.NO_ROOM),
        (READY, ModelView(proven=False, failed=3), Gate.NO_ROOM),
        (replace(READY, held_back=True), ModelView(), Gate.NO_ROOM),
        (replace(READY, cancelled=True), ModelView(), Gate.CANCELLED),
        (replace(READY, stopped=True), ModelView(paused=True), Gate.STOPPED),
        (replace(READY, cancelled=True, stopped=True), ModelView(), Gate.CANCELLED),
        (replace(READY, stopped=True, claimed=True), ModelView(), Gate.OPEN),
        (replace(READY, claimed=True), ModelView(paused=True, jobs_open=20), Gate.OPEN),
        (PLANNED, ModelView(), Gate.STALE),
        (ChunkView(ChunkState.SUBMITTED, claimed=True), ModelView(), Gate.STALE),
    ],
)
def test_a_slot_is_for_a_ready_chunk_of_a_model_that_may_go(
    chunk: ChunkView, model: ModelView, gate: Gate
) -> None:
    assert may_claim(chunk, model, Purse(), Room(20, 20), NOW) is gate


@pytest.mark.parametrize(
    ("chunk", "model", "gate"),
    [
        (PLANNED, ModelView(), Gate.OPEN),
        (PLANNED, ModelView(staged=(0, 0, 0)), Gate.NO_ROOM),
        (PLANNED, ModelView(staged=(0, 0), jobs_open=1), Gate.NO_ROOM),
        (PLANNED, ModelView(staged=(-1, -1, -1, -1)), Gate.OPEN),
        (PLANNED, ModelView(paused=True), Gate.PAUSED),
        (PLANNED, ModelView(blocked_until=NOW + timedelta(hours=1)), Gate.OPEN),
        (replace(PLANNED, cancelled=True), ModelView(paused=True), Gate.CANCELLED),
        (replace(PLANNED, stopped=True), ModelView(paused=True), Gate.STOPPED),
        (ChunkView(ChunkState.PREPARING, stopped=True), ModelView(), Gate.STOPPED),
        (replace(PLANNED, held_back=True), ModelView(), Gate.NO_ROOM),
        (PLANNED, ModelView(staged=(0, 0), proven=False, failed=3), Gate.NO_ROOM),
        (replace(PLANNED, planning=True), ModelView(), Gate.STALE),
        (ChunkView(ChunkState.PREPARING), ModelView(staged=(0, 0, 0)), Gate.OPEN),
        (READY, ModelView(paused=True), Gate.OPEN),
        (replace(READY, claimed=True), ModelView(), Gate.STALE),
        (ChunkView(ChunkState.COMPLETED), ModelView(), Gate.STALE),
    ],
)
def test_a_stage_place_is_for_a_planned_chunk(chunk: ChunkView, model: ModelView, gate: Gate) -> None:
    assert may_stage(chunk, model, Purse(), Room(1, 2)) is gate


@pytest.mark.parametrize(
    ("estimate", "purse", "gate"),
    [
        (None, Purse(), Gate.OPEN),
        (5, Purse(), Gate.OPEN),
        (5, Purse(batch_left=Decimal(5)), Gate.OPEN),
        (5, Purse(batch_left=Decimal(4)), Gate.STOPPED),
        (5, Purse(batch_left=Decimal(4), hopes=True), Gate.BUDGET),
        (5, Purse(batch_left=Decimal(-1)), Gate.STOPPED),
        (5, Purse(day_left=Decimal(5), day_budget=Decimal(9)), Gate.OPEN),
        (5, Purse(day_left=Decimal(4), day_budget=Decimal(9)), Gate.BUDGET),
        (5, Purse(day_left=Decimal(4), day_budget=Decimal(4)), Gate.STOPPED),
        (5, Purse(Decimal(4), Decimal(9), Decimal(9)), Gate.STOPPED),
        (5, Purse(Decimal(9), Decimal(4), Decimal(9)), Gate.BUDGET),
        (None, Purse(batch_left=Decimal(100)), Gate.STOPPED),
        (None, Purse(day_left=Decimal(100), day_budget=Decimal(100)), Gate.STOPPED),
    ],
)
def test_a_chunk_is_bought_within_its_batchs_and_the_days_budget(
    estimate: int | None, purse: Purse, gate: Gate
) -> None:
    cost = None if estimate is None else Decimal(estimate)
    assert may_pay(cost, purse) is gate
    assert may_stage(replace(PLANNED, estimate_usd=cost), ModelView(), purse, Room(1, 2)) is gate
    assert may_claim(replace(READY, estimate_usd=cost), ModelView(), purse, Room(1, 2), NOW) is gate


@given(st.integers(0, 50), st.lists(st.integers(0, 20) | st.none()))
def test_staged_chunks_take_from_a_budget_what_it_can_pay(budget: int, staged: list[int | None]) -> None:
    known = [Decimal(each) for each in staged if each is not None]
    left = left_after(Decimal(budget), [None, *known])
    assert left is not None
    assert left == budget - sum(known) if sum(known) <= budget else 0 <= left < max(known)
    assert left_after(None, known) is None


@given(st.integers(1, 20), st.integers(0, 4), st.integers(0, 4), st.integers(0, 20))
def test_an_unproven_model_risks_no_more_jobs_than_may_fail_in_a_row(
    slots: int, failed: int, unread: int, jobs_open: int
) -> None:
    more = ModelView(proven=False, failed=failed, unread=unread, jobs_open=jobs_open).free(slots)
    assert more == 0 or more + jobs_open + unread + failed <= FAILURES_BEFORE_PAUSE
    assert more + jobs_open <= max(slots, jobs_open)
    assert ModelView(jobs_open=jobs_open).free(slots) == max(0, slots - jobs_open)


def test_three_whole_failures_in_a_row_pause_a_model_with_the_last_reason() -> None:
    assert pause_reason(2, "no access") is None
    assert pause_reason(3, "no access") == "3 chunks in a row failed as a whole, the last one with: no access"


@given(st.lists(waiting, max_size=12, unique_by=lambda each: each.chunk_id))
def test_every_waiting_chunk_is_named_once_and_higher_ranks_come_first(chunks: list[Candidate]) -> None:
    named = list(in_order(chunks, {}, NOW))
    assert sorted(named, key=str) == sorted(chunks, key=str)
    ranks = [rank_of(each.priority, each.created_at, NOW) for each in named]
    assert ranks == sorted(ranks, reverse=True)


@given(st.lists(waiting, max_size=12), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_no_more_are_chosen_than_there_is_room_for(
    chunks: list[Candidate], slots: int, ahead: int, open_jobs: int
) -> None:
    view = ModelView(jobs_open=open_jobs)
    room = Room(slots, ahead)
    ready = choose(chunks, [], view, {}, {}, room=room, now=NOW)
    assert len(ready) == min(len(chunks), max(0, slots - open_jobs))
    planned = choose([], chunks, view, {}, {}, room=room, now=NOW)
    assert len(planned) == min(len(chunks), ahead + max(0, slots - open_jobs))


def test_batches_that_use_fewer_slots_go_first() -> None:
    one, two = (Candidate(f"{batch}0", batch, 0, NOW, 0) for batch in "ab")
    assert [each.batch_id for each in in_order([one, two], {"a": 1}, NOW)] == ["b", "a"]


def test_rests_and_blocks_double_up_to_their_bounds() -> None:
    assert [rest_of(n).total_seconds() for n in (1, 2, 3, 8, 1000)] == [30, 60, 120, 3600, 3600]
    assert [next_block(n) for n in (0, 30, 240, 480, 600)] == [30, 60, 480, 600, 600]
