"""Staging leaves two places of a process to what is short."""

from types import SimpleNamespace
from typing import Any

import pytest

from consumers.core.lifecycle import ChunkState
from consumers.core.world import Done, Outcome
from daemon.loop.lanes import StagingLane
from schemas.facts import Ignored
from schemas.messages import SubmitChunk

RAN = Done((Ignored("ran", ""),))
MESSAGE = SubmitChunk(chunk_id=f"b{'0' * 20}-000")


def world(state: ChunkState) -> Any:
    chunk = SimpleNamespace(state=state)
    return SimpleNamespace(store=SimpleNamespace(chunk=lambda chunk_id: chunk))


def meet(concurrency: int, busy: int, then: ChunkState) -> Outcome:
    """Let one more chunk arrive while so many are being staged; returns what it met."""
    waiting = [ChunkState.PLANNED] * busy + [then]
    met: list[Outcome] = []

    def stage(message: SubmitChunk, inside: Any) -> Outcome:
        if waiting:
            met.append(lane(message, world(waiting.pop(0))))
        return RAN

    lane = StagingLane(stage, concurrency)
    met.append(lane(MESSAGE, world(waiting.pop(0))))
    return met[0]


@pytest.mark.parametrize("concurrency", [3, 8])
def test_staging_never_takes_the_last_two_places(concurrency: int) -> None:
    assert meet(concurrency, concurrency - 3, ChunkState.PLANNED) == RAN
    assert meet(concurrency, concurrency - 2, ChunkState.PLANNED) == Done()


def test_a_staged_chunk_gets_its_job_although_all_staging_places_are_taken() -> None:
    assert meet(8, 6, ChunkState.READY) == RAN


def test_one_place_is_enough_to_stage() -> None:
    assert meet(1, 0, ChunkState.PLANNED) == RAN


def test_a_place_is_free_again_after_a_fault() -> None:
    def stage(message: SubmitChunk, inside: Any) -> Outcome:
        raise RuntimeError("a bug")

    lane = StagingLane(stage, 1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            lane(MESSAGE, world(ChunkState.PLANNED))


def test_those_turned_away_are_sent_for_again_two_at_each_end_of_a_staging() -> None:
    names = [f"b{'0' * 20}-{number:03}" for number in range(6)]
    first, second, *others = (SubmitChunk(chunk_id=name) for name in names)
    ends: list[Outcome] = []

    def stage(message: SubmitChunk, inside: Any) -> Outcome:
        if message is first:
            ends.append(lane(second, world(ChunkState.PLANNED)))
        elif message is second:
            assert {lane(other, world(ChunkState.PLANNED)) for other in others} == {Done()}
        return RAN

    lane = StagingLane(stage, 4)
    ends.append(lane(first, world(ChunkState.PLANNED)))
    assert ends == [Done(RAN.facts, tuple(others[:2])), Done(RAN.facts, tuple(others[2:]))]
    assert lane(others[0], world(ChunkState.PLANNED)) == RAN
