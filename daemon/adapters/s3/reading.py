"""Streaming an object's lines, whatever becomes of the connection."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, FlexibleChecksumError
from urllib3.exceptions import HTTPError

from consumers.core import faults
from consumers.core.objects import ObjectInfo
from daemon.adapters.aws import code_of, faults_of
from daemon.adapters.backoff import Backoff
from daemon.adapters.s3.copying import quoted, unquoted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

READ_BYTES = 1024 * 1024
SMALLEST_READ = 4096
# Memory is bounded by the longest line; Bedrock takes records far below this.
LONGEST_LINE = 64 * 1024 * 1024


class _Broken(faults.PassingFault):
    """The connection ended before the object did."""


class ObjectStream:
    """The bytes of one version of one object: a read that breaks goes on at the byte where it broke."""

    def __init__(self, client: "S3Client", bucket: str, key: str, etag: str, backoff: Backoff) -> None:
        self._client = client
        self._bucket, self._key = bucket, key
        self._subject = f"s3://{bucket}/{key}"
        self._etag = unquoted(etag)
        self._backoff = backoff

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the object from a byte on in pieces of up to 1 MiB."""
        position, size, breaks = start, READ_BYTES, 0
        body = self._opened(position)
        try:
            while body is not None:
                try:
                    block = self._read(body, size)
                except _Broken:
                    # What arrived before the break is lost with it: smaller reads lose less.
                    size, breaks = max(size // 4, SMALLEST_READ), breaks + 1
                    if breaks == self._backoff.tries:
                        raise
                    body.close()
                    body = self._opened(position)
                    continue
                if not block:
                    return
                position, size, breaks = position + len(block), min(2 * size, READ_BYTES), 0
                yield block
        finally:
            if body is not None:
                body.close()

    def _read(self, body: Any, size: int) -> bytes:
        try:
            with faults_of("GetObject", self._subject):
                return bytes(body.read(size))
        except faults.PassingFault as fault:
            if fault.code == FlexibleChecksumError.__name__:
                raise
            raise _Broken(fault.message, fault.code) from fault
        except HTTPError as error:
            raise _Broken(f"GetObject {self._subject}: {error}") from error

    def _opened(self, position: int) -> Any:
        return self._backoff.run(lambda: self._open(position))

    def _open(self, position: int) -> Any:
        """Open the object at a byte; None where it has no more."""
        asked: dict[str, Any] = {"Range": f"bytes={position}-"} if position else {}
        if self._etag:
            asked["IfMatch"] = quoted(self._etag)
        with faults_of("GetObject", self._subject):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key, **asked)
            except ClientError as error:
                if code_of(error) in ("InvalidRange", "416"):
                    return None
                raise
        self._etag = unquoted(answer["ETag"])
        return answer["Body"]


def listing(
    client: "S3Client", place: Mapping[str, str], after: str, backoff: Backoff
) -> Iterator[ObjectInfo]:
    """Yield every object of a ``Bucket`` under a ``Prefix`` in key order, a page of 1,000 at a time."""
    asked: dict[str, Any] = {**place, "StartAfter": after, "OptionalObjectAttributes": ["RestoreStatus"]}

    def ask() -> "ListObjectsV2OutputTypeDef":
        with faults_of("ListObjectsV2", f"s3://{place['Bucket']}/{place['Prefix']}"):
            return client.list_objects_v2(**asked)

    while True:
        page = backoff.run(ask)
        yield from map(_listed, page.get("Contents", ()))
        if not page["IsTruncated"]:
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _listed(entry: "ObjectTypeDef") -> ObjectInfo:
    # A restored copy is listed with the time it expires (AWS: ListObjectsV2, RestoreStatus).
    restored = "RestoreExpiryDate" in entry.get("RestoreStatus", {})
    storage_class = "STANDARD" if restored else entry.get("StorageClass", "STANDARD")
    return ObjectInfo(entry["Key"], entry["Size"], unquoted(entry["ETag"]), storage_class)


def lines(stream: ObjectStream, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line, without its newline, with the offset behind it."""
    return split(stream.blocks(start), start)


def gzip_lines(stream: ObjectStream, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a compressed object that ends behind ``start``; offsets count unpacked bytes."""
    for offset, line in split(unpack(stream.blocks()), 0):
        if offset > start:
            yield offset, line


def split(blocks: Iterable[bytes], start: int) -> Iterator[tuple[int, bytes]]:
    r"""Cut blocks into lines at ``\n`` and nothing else; the last line may lack it.

    ``splitlines`` would also cut at U+0085 and U+2028, which JSON leaves as they are.
    """
    offset, rest = start, b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            offset += len(line) + 1
            yield offset, line
        if len(rest) > LONGEST_LINE:
            raise faults.Rejected(f"the line at byte {offset} is longer than {LONGEST_LINE} bytes")
    if rest:
        yield offset + len(rest), rest


def unpack(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip on the way, in pieces of up to 1 MiB however well it was packed."""
    unpacker, inside = zlib.decompressobj(wbits=31), False
    for block in blocks:
        packed = block
        while packed:
            try:
                piece = unpacker.decompress(packed, READ_BYTES)
            except zlib.error as error:
                raise faults.Rejected(f"not gzip: {error}") from error
            if piece:
                yield piece
            packed, inside = unpacker.unconsumed_tail, not unpacker.eof
            if unpacker.eof:
                packed, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=31)
    if inside:
        raise faults.Rejected("not gzip: it ends in the middle")
