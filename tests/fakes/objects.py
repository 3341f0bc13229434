"""Objects in memory, with S3's rules as far as callers can see them."""

import gzip
import hashlib
from bisect import bisect_left, insort
from collections import UserDict, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count

from consumers.core.faults import Archived, Changed, Fault, Missing
from consumers.core.local import Upload
from consumers.core.objects import Copy, ObjectInfo, Version, Writer
from tests.fakes.calls import Calls, OnCall, ignore
from tests.fakes.local import FakeLocalMedia

ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
LISTED_A_CALL = 1000
UNVERSIONED = "null"


@dataclass(frozen=True)
class Stored:
    """One object as it lies in its bucket; ``size`` may claim more than there is."""

    data: bytes
    content_type: str
    storage_class: str = "STANDARD"
    metadata: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data + self.storage_class.encode()[8:]).hexdigest()

    def info(self, key: str) -> ObjectInfo:
        bytes = len(self.data) if self.size is None else self.size
        return ObjectInfo(key, bytes, self.etag, self.storage_class)


class Bucket(UserDict[str, Stored]):
    """The objects of a bucket by key; ``order`` has the keys as S3 lists them.

    ``history`` has what lies under each key by version, oldest first; None is a delete marker. Once the
    bucket is ``versioned``, a key written again or deleted keeps what was there.
    """

    def __init__(self) -> None:
        self.order: list[str] = []
        self.history: dict[str, dict[str, Stored | None]] = {}
        self.versioned = False
        self._ids = count(1)
        super().__init__()

    def __setitem__(self, key: str, stored: Stored) -> None:
        self._add(key, stored)

    def __delitem__(self, key: str) -> None:
        if self.versioned:
            self._add(key, None)
        else:
            self.remove(key, UNVERSIONED)

    def remove(self, key: str, id: str) -> None:
        """Take away one version for good; the one before it comes to light."""
        self.history.get(key, {}).pop(id, None)
        self._settle(key)

    def _add(self, key: str, stored: Stored | None) -> None:
        versions = self.history.setdefault(key, {})
        id = f"v{next(self._ids)}" if self.versioned else UNVERSIONED
        versions.pop(id, None)
        versions[id] = stored
        self._settle(key)

    def _settle(self, key: str) -> None:
        """Let the newest version be the object, unless it is a delete marker."""
        newest = next(reversed(self.history.get(key, {}).values()), None)
        if newest is None and key in self.data:
            del self.data[key]
            del self.order[bisect_left(self.order, key)]
        if newest is not None:
            if key not in self.data:
                insort(self.order, key)
            self.data[key] = newest
        if not self.history.get(key):
            self.history.pop(key, None)

    def below(self, prefix: str) -> list[str]:
        """Return the keys under a prefix, in order."""
        first = last = bisect_left(self.order, prefix)
        while last < len(self.order) and self.order[last].startswith(prefix):
            last += 1
        return self.order[first:last]


class FakeObjects:
    """The port ``Objects``.

    Calls are named after its methods: one a file for ``heads`` and ``copies``, one a page for ``list`` and
    ``versions``. Deleting an ``undeletable`` key is answered like any other, and the object stays.
    """

    def __init__(
        self, bucket: str = "media", on_call: OnCall = ignore, local: FakeLocalMedia | None = None
    ) -> None:
        self.bucket = bucket
        self.buckets: dict[str, Bucket] = defaultdict(Bucket)
        self.undeletable: set[str] = set()
        self.calls = Calls("objects", on_call)
        self.fail_next = self.calls.fail_next
        self.local = local or FakeLocalMedia()

    # ── what tests do behind the port's back ──

    def put(
        self,
        key: str,
        data: bytes | str = b"",
        *,
        bucket: str | None = None,
        content_type: str = "application/octet-stream",
        storage_class: str = "STANDARD",
        size: int | None = None,
    ) -> str:
        """Lay an object down and return its ETag."""
        content = data.encode() if isinstance(data, str) else data
        stored = Stored(content, content_type, storage_class, size=size)
        self.buckets[bucket or self.bucket][key] = stored
        return stored.etag

    def read(self, key: str, bucket: str | None = None) -> bytes:
        """Return an object's bytes as they lie there."""
        return self._find(bucket or self.bucket, key).data

    def text(self, key: str, bucket: str | None = None) -> str:
        """Return an object's text, unpacked where its key ends in ``.gz``."""
        return self._content(bucket or self.bucket, key).decode()

    def content_type(self, key: str, bucket: str | None = None) -> str:
        return self._find(bucket or self.bucket, key).content_type

    def keys(self, prefix: str = "", bucket: str | None = None) -> list[str]:
        """Return the keys under a prefix, in order."""
        return self.buckets[bucket or self.bucket].below(prefix)

    # ── the port ──

    def heads(self, keys: Sequence[tuple[str, str]]) -> Iterator[ObjectInfo | Fault]:
        for bucket, key in keys:
            try:
                self.calls.begin("heads", key)
                answer: ObjectInfo | Fault = self._find(bucket, key).info(key)
            except Fault as fault:
                answer = fault
            yield answer

    def copies(self, copies: Sequence[Copy]) -> Generator[tuple[Copy, Fault | None], None, None]:
        for copy in copies:
            try:
                self._copy(copy)
            except Fault as fault:
                yield copy, fault
            else:
                yield copy, None

    def _copy(self, copy: Copy) -> None:
        self.calls.begin("copies", copy.source_key)
        source = self._find(copy.source_bucket, copy.source_key)
        if copy.etag and copy.etag != source.etag:
            raise Changed(f"{copy.source_key} is no longer {copy.etag}")
        if source.storage_class in ARCHIVED:
            raise Archived(f"{copy.source_key} is in {source.storage_class}")
        self.put(copy.key, source.data, content_type=copy.content_type, size=source.size)
        self.calls.end("copies", copy.source_key)

    def uploads(self, uploads: Sequence[Upload]) -> Generator[tuple[Upload, Fault | None], None, None]:
        for upload in uploads:
            try:
                self.calls.begin("uploads", upload.path)
                self.put(upload.key, self.local.read(upload.path), content_type=upload.content_type)
                self.calls.end("uploads", upload.path)
            except Fault as fault:
                yield upload, fault
            else:
                yield upload, None

    def exists(self, key: str) -> bool:
        self.calls.begin("exists", key)
        return key in self.buckets[self.bucket]

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        found = [key for key in self.keys(prefix, bucket) if key.encode() > after.encode()]
        for first in range(0, len(found) or 1, LISTED_A_CALL):
            self.calls.begin("list", prefix)
            for key in found[first : first + LISTED_A_CALL]:
                yield self._find(bucket or self.bucket, key).info(key)

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        self.calls.begin("lines", key)
        stored = self._find(bucket or self.bucket, key)
        if etag and etag != stored.etag:
            raise Changed(f"{key} is no longer {etag}")
        content = self._content(bucket or self.bucket, key)
        offset = start
        while offset < len(content):
            end = content.find(b"\n", offset)
            line, offset = (content[offset:], len(content)) if end < 0 else (content[offset:end], end + 1)
            yield offset, line

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        buffer = BytesIO()
        yield buffer
        self.calls.begin("writer", key)
        if if_absent and key in self.buckets[self.bucket]:
            raise Changed(f"{key} exists already")
        data = buffer.getvalue()
        self.put(
            key, gzip.compress(data, mtime=0) if key.endswith(".gz") else data, content_type=content_type
        )
        self.calls.end("writer", key)

    def versions(self, prefix: str) -> Iterator[Version]:
        history = self.buckets[self.bucket].history
        found = [
            Version(key, id, stored.info(key).bytes if stored else 0)
            for key in sorted(key for key in history if key.startswith(prefix))
            for id, stored in reversed(history[key].items())
        ]
        for first in range(0, len(found) or 1, LISTED_A_CALL):
            self.calls.begin("versions", prefix)
            yield from found[first : first + LISTED_A_CALL]

    def delete(self, versions: Sequence[Version]) -> Mapping[Version, str]:
        """Delete; the whole call can fail (``delete``), or single keys stay (``deletions``)."""
        stayed = {}
        self.calls.begin("delete", f"{len(versions)} objects")
        for version in versions:
            try:
                self.calls.begin("deletions", version.key)
                if version.key not in self.undeletable:
                    self.buckets[self.bucket].remove(version.key, version.id)
                self.calls.end("deletions", version.key)
            except Fault as fault:
                stayed[version] = fault.message
        return stayed

    def _find(self, bucket: str, key: str) -> Stored:
        found = self.buckets[bucket].get(key)
        if found is None:
            raise Missing(f"s3://{bucket}/{key} does not exist")
        return found

    def _content(self, bucket: str, key: str) -> bytes:
        data = self._find(bucket, key).data
        return gzip.decompress(data) if key.endswith(".gz") else data
