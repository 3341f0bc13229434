"""States: which moves exist, and how a batch ends."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from consumers.core.lifecycle import (
    BATCH_ENDS,
    CHUNK_ENDS,
    CHUNK_MOVES,
    JOB_ENDS,
    BatchState,
    ChunkState,
    JobStatus,
    end_of,
    is_forward,
    sources,
)

USUAL_WAY = (
    ChunkState.PLANNED,
    ChunkState.PREPARING,
    ChunkState.READY,
    ChunkState.SUBMITTED,
    ChunkState.IN_PROGRESS,
    ChunkState.ENDED,
    ChunkState.COMPLETED,
)


def test_the_usual_way_of_a_chunk_is_allowed_step_by_step() -> None:
    assert all(new in CHUNK_MOVES[old] for old, new in pairwise(USUAL_WAY))


def test_every_state_has_its_moves_and_an_end_leads_to_another_end_only() -> None:
    assert set(CHUNK_MOVES) == set(ChunkState)
    assert not CHUNK_MOVES[ChunkState.CANCELLED]
    assert CHUNK_MOVES[ChunkState.COMPLETED] | CHUNK_MOVES[ChunkState.FAILED] <= CHUNK_ENDS


def test_no_chunk_completes_without_a_folder_of_its_own() -> None:
    assert ChunkState.PLANNED not in sources(ChunkState.COMPLETED)
    assert ChunkState.SUBMITTED not in sources(ChunkState.COMPLETED)


def test_ends_are_ends() -> None:
    assert {ChunkState.COMPLETED, ChunkState.FAILED, ChunkState.CANCELLED} == CHUNK_ENDS
    assert BatchState.RUNNING not in BATCH_ENDS


@given(st.lists(st.sampled_from(JobStatus), max_size=12))
def test_a_job_only_moves_forward_and_never_out_of_an_end(events: list[JobStatus]) -> None:
    status: JobStatus | None = None
    for event in events:
        if is_forward(status, event):
            assert status not in JOB_ENDS
            status = event
    ended = [event for event in events if event in JOB_ENDS]
    assert status == (ended[0] if ended else status)


@given(st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_the_end_of_a_batch_follows_from_its_counts(good: int, bad: int, cancelled: bool) -> None:
    state = end_of(good + bad, good, cancelled=cancelled)
    assert (state is BatchState.COMPLETED) == (bad == 0 and good > 0)
    if state is BatchState.CANCELLED:
        assert cancelled
    if state is BatchState.FAILED:
        assert good == 0
