"""The port to objects, spoken through boto3."""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from consumers.core.faults import Fault, Missing
from consumers.core.local import Upload
from consumers.core.objects import Copy, ObjectInfo, Version, Writer
from daemon.adapters.backoff import Backoff
from daemon.adapters.local_media import MediaRoots
from daemon.adapters.s3 import copying, deleting, reading, uploading, versions, writing
from daemon.adapters.s3.lanes import Lanes
from daemon.adapters.s3.sending import Sending
from daemon.adapters.s3.shortcut import Shortcut

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 may answer SlowDown for a while when a prefix grows beyond 3,500 writes a second
# (AWS: optimizing Amazon S3 performance). These tries last about 40 seconds; the waits stay short because a
# long one outlasts the others' work and leaves the rate that S3 allows unused.
PATIENT = Backoff(tries=28, longest=2.0)
BRIEF = Backoff(tries=5)


class S3Objects:
    """The objects of ``bucket``, with ``concurrency`` threads for copies, measures and deletions.

    To be made after a fork, and with a client that holds at least as many connections.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        concurrency: int,
        patient: Backoff = PATIENT,
        brief: Backoff = BRIEF,
        local: MediaRoots | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._lanes = Lanes(concurrency)
        self._shortcut = Shortcut(client)
        versions.shorten(client)
        self._patient = patient
        self._brief = brief
        self._local = local or MediaRoots(())

    def heads(self, keys: Sequence[tuple[str, str]]) -> Iterator[ObjectInfo | Fault]:
        """Measure objects given as (bucket, key), in parallel, answers in order, a Fault in its place."""
        return self._lanes.in_order(self._head, keys)

    def copies(self, copies: Sequence[Copy]) -> Generator[tuple[Copy, Fault | None], None, None]:
        """Copy objects in parallel as they come; a Fault stands beside the copy it struck.

        When the iterator is closed early, copies under way end first and no other begins.
        """
        return self._lanes.as_done(self._copy, copies)

    def uploads(self, uploads: Sequence[Upload]) -> Generator[tuple[Upload, Fault | None], None, None]:
        """Put local media into our bucket in parallel as they come; a Fault stands beside the upload.

        Closed early as ``copies``; a large upload ends after the part under way.
        """
        return self._lanes.as_done(self._upload, uploads)

    def exists(self, key: str) -> bool:
        """Tell whether our bucket holds the key."""
        try:
            self._brief.run(lambda: copying.head(self._client, self._bucket, key))
        except Missing:
            return False
        return True

    def list(self, prefix: str, bucket: str | None = None, after: str = "") -> Iterator[ObjectInfo]:
        """List every object under a prefix in key order, page by page, beginning after a key."""
        place = {"Bucket": bucket or self._bucket, "Prefix": prefix}
        return reading.listing(self._client, place, after, self._brief)

    def lines(
        self, key: str, bucket: str | None = None, start: int = 0, etag: str = ""
    ) -> Iterator[tuple[int, bytes]]:
        r"""Stream an object's lines (split on ``\n`` only) with the offset behind each.

        A read that breaks goes on where it broke. With ``etag`` the object must still be that one: Changed
        otherwise. Keys that end in ``.gz`` are unpacked on the way, and offsets count unpacked bytes.
        """
        stream = reading.ObjectStream(self._client, bucket or self._bucket, key, etag, self._brief)
        return (reading.gzip_lines if key.endswith(".gz") else reading.lines)(stream, start)

    def writer(
        self, key: str, *, content_type: str, if_absent: bool = False
    ) -> AbstractContextManager[Writer]:
        """Write one object of our bucket; nothing is put if the block raises.

        With ``if_absent`` an existing object is kept and Changed raised on leaving the block.
        Keys that end in ``.gz`` are compressed on the way.
        """
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        place = {"Bucket": self._bucket, "Key": key}
        return writing.writer(Sending(self._client, place, content_type, condition, self._brief))

    def versions(self, prefix: str) -> Iterator[Version]:
        """List everything our bucket holds under a prefix: objects, their old versions, delete markers."""
        return versions.listing(self._client, {"Bucket": self._bucket, "Prefix": prefix}, self._brief)

    def delete(self, versions: Sequence[Version]) -> Mapping[Version, str]:
        """Delete versions for good, a thousand a call; returns those that stayed with the reason."""
        size = deleting.VERSIONS_A_CALL
        batches = [versions[first : first + size] for first in range(0, len(versions), size)]
        stayed: dict[Version, str] = {}
        for some in self._lanes.as_done(self._delete, batches):
            stayed.update(some)
        return stayed

    def close(self) -> None:
        """End the threads and their connections."""
        self._lanes.close()
        self._shortcut.close()

    def _head(self, place: tuple[str, str], stopped: threading.Event) -> ObjectInfo | Fault:
        try:
            return self._patient.run(lambda: copying.head(self._client, *place), stopped)
        except Fault as fault:
            return fault

    def _copy(self, copy: Copy, stopped: threading.Event) -> tuple[Copy, Fault | None]:
        try:
            self._patient.run(lambda: copying.copy(self._client, self._bucket, copy), stopped)
        except Fault as fault:
            return copy, fault
        return copy, None

    def _upload(self, upload: Upload, stopped: threading.Event) -> tuple[Upload, Fault | None]:
        place = {"Bucket": self._bucket, "Key": upload.key}
        sending = Sending(self._client, place, upload.content_type, {}, self._patient, stopped)
        try:
            with self._local.open(upload.path) as file:
                uploading.upload(file, sending)
        except Fault as fault:
            return upload, fault
        return upload, None

    def _delete(self, some: Sequence[Version], stopped: threading.Event) -> dict[Version, str]:
        return deleting.delete(self._client, self._bucket, some, self._brief, stopped)
