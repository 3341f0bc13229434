"""Every state and every allowed move; the store refuses all others."""

from collections.abc import Mapping
from enum import StrEnum


class BatchState(StrEnum):
    """Where a batch stands."""

    PLANNING = "PLANNING"
    PLANNED = "PLANNED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ChunkState(StrEnum):
    """Where a chunk stands. ENDED: Bedrock is done and the slot free, results not stored yet."""

    PLANNED = "PLANNED"
    PREPARING = "PREPARING"
    READY = "READY"
    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    ENDED = "ENDED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class JobStatus(StrEnum):
    """The ten states of a batch inference job (AWS: ListModelInvocationJobs)."""

    SUBMITTED = "Submitted"
    VALIDATING = "Validating"
    SCHEDULED = "Scheduled"
    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    PARTIALLY_COMPLETED = "PartiallyCompleted"
    FAILED = "Failed"
    STOPPED = "Stopped"
    EXPIRED = "Expired"


# Beside these moves a reparse gives an ended batch an end anew, the same or another, as its next revision.
B, C, J = BatchState, ChunkState, JobStatus

BATCH_ENDS = frozenset({B.COMPLETED, B.COMPLETED_WITH_ERRORS, B.FAILED, B.CANCELLED})
CHUNK_ENDS = frozenset({C.COMPLETED, C.FAILED, C.CANCELLED})
JOB_ENDS = frozenset({J.COMPLETED, J.PARTIALLY_COMPLETED, J.FAILED, J.STOPPED, J.EXPIRED})
PAST_VALIDATION = frozenset({J.SCHEDULED, J.IN_PROGRESS, J.COMPLETED, J.PARTIALLY_COMPLETED})

BATCH_MOVES: Mapping[BatchState, frozenset[BatchState]] = {
    B.PLANNING: frozenset({B.PLANNED}),
    B.PLANNED: frozenset({B.RUNNING}) | BATCH_ENDS,
    B.RUNNING: BATCH_ENDS,
    **{end: frozenset({B.RUNNING}) for end in BATCH_ENDS},
}

CHUNK_MOVES: Mapping[ChunkState, frozenset[ChunkState]] = {
    C.PLANNED: frozenset({C.PREPARING, C.CANCELLED, C.FAILED}),
    C.PREPARING: frozenset({C.READY, C.COMPLETED, C.FAILED, C.CANCELLED}),
    C.READY: frozenset({C.SUBMITTED, C.IN_PROGRESS, C.ENDED, C.PREPARING, C.FAILED, C.CANCELLED}),
    C.SUBMITTED: frozenset({C.IN_PROGRESS, C.ENDED}),
    C.IN_PROGRESS: frozenset({C.ENDED}),
    C.ENDED: frozenset({C.COMPLETED, C.FAILED}),
    C.FAILED: frozenset({C.COMPLETED}),
    C.COMPLETED: frozenset({C.FAILED}),  # when output came after it was read
    C.CANCELLED: frozenset(),
}

_PROGRESS = (J.SUBMITTED, J.VALIDATING, J.SCHEDULED, J.IN_PROGRESS, J.STOPPING)


def sources(state: ChunkState) -> frozenset[ChunkState]:
    """Return the states a chunk may be in when it moves to ``state``."""
    return frozenset(source for source, targets in CHUNK_MOVES.items() if state in targets)


def batch_sources(state: BatchState) -> frozenset[BatchState]:
    """Return the states a batch may be in when it moves to ``state``."""
    return frozenset(source for source, targets in BATCH_MOVES.items() if state in targets)


def is_forward(old: JobStatus | None, new: JobStatus) -> bool:
    """Tell whether a job may be seen going from ``old`` to ``new``: never back, never out of an end."""
    if old is None or old == new:
        return old is None
    if old in JOB_ENDS:
        return False
    return new in JOB_ENDS or _PROGRESS.index(new) > _PROGRESS.index(old)


def end_of(total: int, good: int, *, cancelled: bool) -> BatchState:
    """Return how a batch ends: ``total`` counts its records and REFUSED files, ``good`` what succeeded."""
    if good == total and total > 0:
        return B.COMPLETED
    if cancelled:
        return B.CANCELLED
    return B.COMPLETED_WITH_ERRORS if good else B.FAILED
