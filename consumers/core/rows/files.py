"""Files of a batch, and of a chunk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file on its way into the plan; ``code`` and ``reason`` are set where it is REFUSED.

    ``file_id`` is the text form; ``echo`` the id as the sender wrote it (an integer stays one). ``tokens``
    is the estimate of what the model reads of the file itself (media and context) for each record.
    ``reused`` names, by analysis type, the earlier record whose result is linked instead of bought. Of a
    ``forgotten`` one only its place is known any more.
    """

    position: int
    file_id: str
    echo: int | str
    bucket: str
    s3_key: str
    size_bytes: int
    etag: str
    kind: str
    local_path: str | None
    context: Mapping[str, Any]
    analysis_types: tuple[str, ...]
    code: str = ""
    reason: str = ""
    tokens: int = 0
    reused: Mapping[str, str] = field(default_factory=dict)
    forgotten: bool = False


RECHECKED = "rechecked"
"""The code of a REFUSED file that was found fine since and waits for the round that sends it."""


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A record as a manifest needs it."""

    analysis_type: str
    attempt: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ChunkFile:
    """A file of a chunk: where it comes from, its name in the folder, what is asked about it."""

    position: int
    file_id: str
    bucket: str
    s3_key: str
    size_bytes: int
    etag: str
    local_path: str | None
    safe_name: str
    context: Mapping[str, Any]
    records: tuple[SentRecord, ...]
    measured_again: bool = False
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a source came to when it was looked at again, because it was not as planned."""

    position: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file never reached a manifest."""

    position: int
    code: str
    reason: str
