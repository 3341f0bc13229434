"""Writing one object: in one piece while it is small, in parts as they fill when it grows."""

import gzip
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consumers.core import faults
from consumers.core.objects import Writer
from daemon.adapters.aws import faults_of
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

# AWS: multipart upload limits, 10,000 parts of at least 5 MiB; these reach 80 GiB.
PART_BYTES = 8 * 1024 * 1024
_MARK = "novabatch-write"


@dataclass
class Upload:
    """An object on its way; nothing of it can be seen before ``finish``."""

    client: "S3Client"
    place: dict[str, Any]
    content_type: str
    condition: dict[str, Any]
    backoff: Backoff
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    buffer: bytearray = field(default_factory=bytearray)
    upload: dict[str, Any] = field(default_factory=dict)
    parts: "list[CompletedPartTypeDef]" = field(default_factory=list)

    @property
    def subject(self) -> str:
        """Name the object in messages."""
        return f"s3://{self.place['Bucket']}/{self.place['Key']}"

    @property
    def described(self) -> dict[str, Any]:
        """Return what is said about the object; the mark tells our own writes from others'."""
        return {"ContentType": self.content_type, "Metadata": {_MARK: self.mark}}

    def write(self, data: bytes) -> int:
        """Take more of the object, sending a part when one is full."""
        self.buffer += data
        while len(self.buffer) > PART_BYTES:
            self._send(bytes(memoryview(self.buffer)[:PART_BYTES]))
            del self.buffer[:PART_BYTES]
        return len(data)

    def flush(self) -> None:
        """Keep what is buffered: parts have a least size. GzipFile asks for this method."""

    def finish(self) -> None:
        """Make the object appear, whole."""
        if self.upload and self.buffer:
            self._send(bytes(self.buffer))
        try:
            self.backoff.run(self._complete if self.upload else self._put)
        except (faults.Changed, faults.Missing):
            # A repeated call meets what its own first try wrote when the answer to that was lost.
            if not self._is_ours():
                raise

    def abandon(self) -> None:
        """Take back the parts; should that fail too, the bucket's lifecycle rule removes them."""
        if self.upload:
            with suppress(faults.Fault), faults_of("AbortMultipartUpload", self.subject):
                self.client.abort_multipart_upload(**self.upload)

    def _put(self) -> None:
        with faults_of("PutObject", self.subject):
            self.client.put_object(**self.place, **self.described, **self.condition, Body=bytes(self.buffer))

    def _send(self, part: bytes) -> None:
        if not self.upload:
            self.upload = {**self.place, "UploadId": self.backoff.run(self._begin)}
        self.backoff.run(lambda: self._send_part(len(self.parts) + 1, part))

    def _begin(self) -> str:
        with faults_of("CreateMultipartUpload", self.subject):
            return self.client.create_multipart_upload(**self.place, **self.described)["UploadId"]

    def _send_part(self, number: int, part: bytes) -> None:
        with faults_of("UploadPart", f"{number} of {self.subject}"):
            sent = self.client.upload_part(**self.upload, PartNumber=number, Body=part)
        self.parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _complete(self) -> None:
        with faults_of("CompleteMultipartUpload", self.subject):
            self.client.complete_multipart_upload(
                **self.upload, **self.condition, MultipartUpload={"Parts": self.parts}
            )

    def _is_ours(self) -> bool:
        try:
            found = self.backoff.run(self._head)
        except (faults.Missing, faults.Denied):
            return False
        return found["Metadata"].get(_MARK) == self.mark

    def _head(self) -> "HeadObjectOutputTypeDef":
        with faults_of("HeadObject", self.subject):
            return self.client.head_object(**self.place)


@contextmanager
def writer(upload: Upload) -> Iterator[Writer]:
    """Give a writer for one object, which appears whole when the block is left and never if it raises."""
    with ExitStack() as unless_finished:
        unless_finished.callback(upload.abandon)
        if upload.place["Key"].endswith(".gz"):
            # No name and no time in the header: the same lines make the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=upload, mtime=0) as packed:
                yield packed
        else:
            yield upload
        upload.finish()
        unless_finished.pop_all()
