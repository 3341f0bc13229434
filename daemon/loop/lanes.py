"""Keeps places free for what is short: staging takes minutes, giving a staged chunk its job one call."""

import threading
from collections import deque

from consumers.core.lifecycle import ChunkState
from consumers.core.world import Done, Outcome, Stage, World
from schemas.messages import SubmitChunk

KEPT_FREE = 2
SENT_AGAIN = 2
_STAGING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING})


class StagingLane:
    """Runs a stage for SubmitChunk, staging in at most all but two places of the process.

    A message that finds no place is done with, and its chunk is remembered: the next stagings that end here
    send for it again, two at a time, since another process may have the place that this one has not.
    """

    def __init__(self, stage: Stage, concurrency: int) -> None:
        places = max(1, concurrency - KEPT_FREE)
        self._stage = stage
        self._places = threading.BoundedSemaphore(places)
        self._turned_away: deque[str] = deque(maxlen=SENT_AGAIN * places)

    def __call__(self, message: SubmitChunk, world: World) -> Outcome:
        """Handle the message, or leave the chunk to whoever frees a place."""
        chunk = world.store.chunk(message.chunk_id)
        if chunk is None or chunk.state not in _STAGING:
            return self._stage(message, world)
        if not self._places.acquire(blocking=False):
            self._turned_away.append(message.chunk_id)
            return Done()
        try:
            outcome = self._stage(message, world)
        finally:
            self._places.release()
        return Done(outcome.facts, (*outcome.then, *self._again())) if isinstance(outcome, Done) else outcome

    def _again(self) -> list[SubmitChunk]:
        """Take the first of those turned away."""
        again: list[SubmitChunk] = []
        while self._turned_away and len(again) < SENT_AGAIN:
            again.append(SubmitChunk(chunk_id=self._turned_away.popleft()))
        return again
