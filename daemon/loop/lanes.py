"""Keeps places free for what is short: staging takes minutes, giving a staged chunk its job one call."""

import threading

from consumers.core.lifecycle import ChunkState
from consumers.core.world import Done, Outcome, Stage, World
from schemas.messages import SubmitChunk

KEPT_FREE = 2
_STAGING = frozenset({ChunkState.PLANNED, ChunkState.PREPARING})


class StagingLane:
    """Runs a stage for SubmitChunk, staging in at most all but two places of the process.

    A message that finds no place is done with: the chunk's row waits, and the end of a staging sends for it.
    """

    def __init__(self, stage: Stage, concurrency: int) -> None:
        self._stage = stage
        self._places = threading.BoundedSemaphore(max(1, concurrency - KEPT_FREE))

    def __call__(self, message: SubmitChunk, world: World) -> Outcome:
        """Handle the message, or leave the chunk to whoever frees a place."""
        chunk = world.store.chunk(message.chunk_id)
        if chunk is None or chunk.state not in _STAGING:
            return self._stage(message, world)
        if not self._places.acquire(blocking=False):
            return Done()
        try:
            return self._stage(message, world)
        finally:
            self._places.release()
