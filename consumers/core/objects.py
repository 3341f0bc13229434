"""The port to objects (S3), and the values that cross it."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from consumers.core.faults import Fault
from consumers.core.local import Upload


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing or a HEAD tells of an object."""

    key: str
    bytes: int
    etag: str = ""
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a delete marker, which has no bytes.

    A bucket without versioning has one of each object, named ``null`` (AWS: ListObjectVersions).
    """

    key: str
    id: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One object to copy under a new name, only if it still has the ETag that was measured."""

    position: int
    source_bucket: str
    source_key: str
    etag: str
    key: str
    content_type: str


class Writer(Protocol):
    """Takes the bytes of one object, piece by piece; memory stays flat."""

    def write(self, data: bytes) -> object:
        """Append to the object."""


class Objects(Protocol):
    """The objects of our bucket; originals may lie in other allowed buckets.

    All calls raise ``faults``: Missing, Denied, Changed, Archived, PassingFault, Rejected.
    """

    def heads(self, keys: Sequence[tuple[str, str]]) -> Iterator["ObjectInfo | Fault"]:
        """Measure objects given as (bucket, key), in parallel; answers in order, a Fault in its place."""

    def copies(self, copies: Sequence[Copy]) -> Generator[tuple[Copy, Fault | None], None, None]:
        """Copy objects in parallel as they come; a Fault stands beside the copy it struck.

        Throttled only after long patience. Closed early, what is under way ends first and no other begins.
        """

    def uploads(self, uploads: Sequence[Upload]) -> Generator[tuple[Upload, Fault | None], None, None]:
        """Put local media into our bucket in parallel as they come; a Fault stands beside the upload.

        Changed for a file that was written while it was read. Closed early as ``copies``.
        """

    def exists(self, key: str) -> bool:
        """Tell whether our bucket holds the key."""

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        """List every object under a prefix in key order, page by page, beginning after a key."""

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        r"""Stream an object's lines (split on ``\n`` only) with the offset behind each; mends broken reads.

        With ``etag`` the object must still be that one: Changed otherwise.
        """

    def writer(
        self, key: str, *, content_type: str, if_absent: bool = False
    ) -> AbstractContextManager[Writer]:
        """Write one object of our bucket; nothing is put if the block raises.

        With ``if_absent`` an existing object is kept and Changed raised on leaving the block.
        Keys that end in ``.gz`` are compressed on the way.
        """

    def versions(self, prefix: str) -> Iterator[Version]:
        """List everything our bucket holds under a prefix: objects, their old versions, delete markers."""

    def delete(self, versions: Sequence[Version]) -> Mapping[Version, str]:
        """Delete versions for good, a thousand a call; returns those that stayed with the reason."""
