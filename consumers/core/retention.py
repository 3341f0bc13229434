"""When the temporary folders of a chunk may go."""

from consumers.core.lifecycle import CHUNK_ENDS
from consumers.core.rows import Chunk


def refusal_to_clean(chunk: Chunk) -> str:
    """Say why a chunk's folders must stay, or nothing if they may go.

    The output of an ended job is paid for: it stays until its results are stored.
    """
    if chunk.state not in CHUNK_ENDS:
        return f"chunk {chunk.chunk_id} is {chunk.state}: its results are not stored yet"
    if chunk.unread:
        return f"chunk {chunk.chunk_id} has output that could not be read yet: it is tried again hourly"
    return ""
