"""Files on their way out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaving:
    """What must be known of a file until nothing of it is left, and in which chunks it lay.

    ``echo`` is its id as the sender wrote it, as JSON.
    """

    position: int
    file_id: str
    echo: str
    bucket: str
    s3_key: str
    safe_names: tuple[str, ...]
    chunk_ids: tuple[str, ...]
