"""moto's S3 as the emulated Bedrock sees it: through its service role, without HTTP."""

import threading
from collections.abc import Iterator
from typing import Any

from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends

Location = tuple[str, str]


def split(uri: str) -> Location:
    """Return bucket and key of an s3:// URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Storage:
    """Objects of one account."""

    def __init__(self, account: str, lock: threading.RLock) -> None:
        self._backend = s3_backends[account]["aws"]
        self._lock = lock

    def has_bucket(self, bucket: str) -> bool:
        """Tell whether the bucket is there."""
        try:
            self._backend.head_bucket(bucket)
        except MissingBucket:
            return False
        return True

    def under(self, bucket: str, prefix: str) -> list[Any]:
        """Return the objects whose key starts with the prefix, by key."""
        with self._lock:
            found = self._backend.list_objects(self._backend.get_bucket(bucket), prefix, None, None, None)[0]
            return sorted(found, key=lambda key: key.name)

    def find(self, bucket: str, key: str) -> Any | None:
        """Return an object, or None."""
        with self._lock:
            if not self.has_bucket(bucket):
                return None
            return self._backend.get_object(bucket, key)

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""
        with self._lock:
            made = self._backend.put_object(bucket, key, body)
            made.set_metadata({"Content-Type": "application/octet-stream"})


def lines(body: bytes) -> Iterator[str]:
    """Yield the lines of a JSON Lines body, empty ones left out, split at the newline only."""
    for line in body.decode("utf-8").split("\n"):
        if line.strip():
            yield line
