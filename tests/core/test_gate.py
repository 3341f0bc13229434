"""May a chunk go on, and which goes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.core.gate import (
    Candidate,
    ChunkView,
    ModelView,
    choose,
    in_order,
    may_claim,
    may_stage,
    next_block,
    rank_of,
    rest_of,
)
from consumers.core.lifecycle import ChunkState
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
        (replace(READY, cancelled=True), ModelView(), Gate.CANCELLED),
        (replace(READY, claimed=True), ModelView(paused=True, jobs_open=20), Gate.OPEN),
        (PLANNED, ModelView(), Gate.STALE),
        (ChunkView(ChunkState.SUBMITTED, claimed=True), ModelView(), Gate.STALE),
    ],
)
def test_a_slot_is_for_a_ready_chunk_of_a_model_that_may_go(
    chunk: ChunkView, model: ModelView, gate: Gate
) -> None:
    assert may_claim(chunk, model, 20, NOW) is gate


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
        (replace(PLANNED, planning=True), ModelView(), Gate.STALE),
        (ChunkView(ChunkState.PREPARING), ModelView(staged=(0, 0, 0)), Gate.OPEN),
        (READY, ModelView(paused=True), Gate.OPEN),
        (replace(READY, claimed=True), ModelView(), Gate.STALE),
        (ChunkView(ChunkState.COMPLETED), ModelView(), Gate.STALE),
    ],
)
def test_a_stage_place_is_for_a_planned_chunk(chunk: ChunkView, model: ModelView, gate: Gate) -> None:
    assert may_stage(chunk, model, slots=1, stage_ahead=2) is gate


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
    options = {"slots": slots, "stage_ahead": ahead}
    ready = choose(chunks, [], view, {}, {}, slots=slots, stage_ahead=ahead, now=NOW)
    assert len(ready) == min(len(chunks), max(0, slots - open_jobs))
    planned = choose([], chunks, view, {}, {}, **options, now=NOW)
    assert len(planned) == min(len(chunks), ahead + max(0, slots - open_jobs))


def test_batches_that_use_fewer_slots_go_first() -> None:
    one, two = (Candidate(f"{batch}0", batch, 0, NOW, 0) for batch in "ab")
    assert [each.batch_id for each in in_order([one, two], {"a": 1}, NOW)] == ["b", "a"]


def test_rests_and_blocks_double_up_to_their_bounds() -> None:
    assert [rest_of(n).total_seconds() for n in (1, 2, 3, 8, 1000)] == [30, 60, 120, 3600, 3600]
    assert [next_block(n) for n in (0, 30, 240, 480, 600)] == [30, 60, 480, 600, 600]
