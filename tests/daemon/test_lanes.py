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
    """Let one more chunk arrive while so many are being staged."""
    waiting = [ChunkState.PLANNED] * busy + [then]

    def stage(message: SubmitChunk, inside: Any) -> Outcome:
        return lane(message, world(waiting.pop(0))) if waiting else RAN

    lane = StagingLane(stage, concurrency)
    return lane(MESSAGE, world(waiting.pop(0)))


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
