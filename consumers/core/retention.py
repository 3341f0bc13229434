"""When the temporary folders of a chunk may go."""

from datetime import datetime, timedelta

from consumers.core import layout
from consumers.core.lifecycle import CHUNK_ENDS, ChunkState, JobStatus
from consumers.core.rows import Chunk

SPLIT = "SPLIT"
CUT_SHORT = frozenset({JobStatus.STOPPED, JobStatus.EXPIRED})
"""Ends of a job after which Bedrock may go on writing for a while."""
SETTLING = timedelta(hours=1)


def is_split(chunk: Chunk) -> bool:
    """Tell whether a chunk ended because its files went into new ones: nobody needs its folder."""
    return chunk.state is ChunkState.CANCELLED and chunk.reason.startswith(f"{SPLIT}:")


def is_cut_short(chunk: Chunk) -> bool:
    """Tell whether a chunk's job ended before it was through: more output may come than was read."""
    return chunk.job is not None and chunk.job.status in CUT_SHORT


def is_settling(chunk: Chunk, now: datetime) -> bool:
    """Tell whether Bedrock may still write into a chunk's folder."""
    ended_at = chunk.job.ended_at if chunk.job and is_cut_short(chunk) else None
    return ended_at is not None and now < ended_at + SETTLING


def refusal_to_clean(chunk: Chunk) -> str:
    """Say why a chunk's folders must stay, or nothing if they may go.

    The output of an ended job is paid for: it stays until its results are stored. A row that names
    another's folder is not believed.
    """
    if not layout.is_folder_of(chunk.folder, chunk.chunk_id):
        return f"chunk {chunk.chunk_id} does not own the folder its row names: {chunk.folder!r}"
    if chunk.state not in CHUNK_ENDS:
        return f"chunk {chunk.chunk_id} is {chunk.state}: its results are not stored yet"
    if chunk.unread:
        return f"chunk {chunk.chunk_id} has output that could not be read yet: it is tried again hourly"
    return ""


def may_clean(chunk: Chunk, now: datetime) -> bool:
    """Tell whether a chunk's folders may go now."""
    return not refusal_to_clean(chunk) and not is_settling(chunk, now)
