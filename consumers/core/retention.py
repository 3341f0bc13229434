"""When the temporary folders of a chunk may go."""

from consumers.core.lifecycle import CHUNK_ENDS, ChunkState
from consumers.core.rows import Chunk

SPLIT = "SPLIT"


def is_split(chunk: Chunk) -> bool:
    """Tell whether a chunk ended because its files went into new ones: nobody needs its folder."""
    return chunk.state is ChunkState.CANCELLED and chunk.reason.startswith(f"{SPLIT}:")


def refusal_to_clean(chunk: Chunk) -> str:
    """Say why a chunk's folders must stay, or nothing if they may go.

    The output of an ended job is paid for: it stays until its results are stored.
    """
    if chunk.state not in CHUNK_ENDS:
        return f"chunk {chunk.chunk_id} is {chunk.state}: its results are not stored yet"
    if chunk.unread:
        return f"chunk {chunk.chunk_id} has output that could not be read yet: it is tried again hourly"
    return ""
