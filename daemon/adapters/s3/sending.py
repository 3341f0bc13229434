"""Sending one object, in one piece or in parts: it appears whole or never."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from consumers.core import faults
from daemon.adapters.aws import faults_of
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

_log = structlog.get_logger("sending")
_MARK = "novabatch-write"
# What is sent, made anew for every try: bytes, or a stream that can be read and sought.
Body = Callable[[], Any]


@dataclass
class Sending:
    """An object on its way; nothing of it can be seen before ``put`` or ``complete``.

    ``stopped`` ends the waits between tries: nobody wants the object any more.
    """

    client: "S3Client"
    place: dict[str, Any]
    content_type: str
    condition: dict[str, Any]
    backoff: Backoff
    stopped: threading.Event = field(default_factory=threading.Event)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    upload: dict[str, Any] = field(default_factory=dict)
    parts: "list[CompletedPartTypeDef]" = field(default_factory=list)

    @property
    def subject(self) -> str:
        """Name the object in messages."""
        return f"s3://{self.place['Bucket']}/{self.place['Key']}"

    def put(self, body: Body) -> None:
        """Make the object appear in one piece."""
        self._finish(lambda: self._put(body))

    def send(self, part: Body) -> None:
        """Send the next part."""
        if not self.upload:
            self.upload = {**self.place, "UploadId": self.backoff.run(self._begin, self.stopped)}
        number = len(self.parts) + 1
        self.backoff.run(lambda: self._send(number, part), self.stopped)

    def complete(self) -> None:
        """Make the object appear, whole, once all its parts are sent."""
        self._finish(self._complete)

    def abandon(self) -> None:
        """Take back the parts; should that fail too, the bucket's lifecycle rule removes them."""
        if not self.upload:
            return
        try:
            with faults_of("AbortMultipartUpload", self.subject):
                self.client.abort_multipart_upload(**self.upload)
        except faults.Missing:
            return
        except faults.Fault as fault:
            _log.warning("upload_left", why=fault.message)

    @property
    def _described(self) -> dict[str, Any]:
        """Return what is said about the object; the mark tells our own writes from others'."""
        return {"ContentType": self.content_type, "Metadata": {_MARK: self.mark}}

    def _finish(self, call: Callable[[], None]) -> None:
        try:
            self.backoff.run(call, self.stopped)
        except (faults.Changed, faults.Missing):
            # A repeated call meets what its own first try wrote when the answer to that was lost.
            may_be_ours = bool(self.condition or self.upload)
            if not may_be_ours or not self._is_ours():
                raise

    def _put(self, body: Body) -> None:
        with faults_of("PutObject", self.subject):
            self.client.put_object(**self.place, **self._described, **self.condition, Body=body())

    def _begin(self) -> str:
        with faults_of("CreateMultipartUpload", self.subject):
            return self.client.create_multipart_upload(**self.place, **self._described)["UploadId"]

    def _send(self, number: int, part: Body) -> None:
        with faults_of("UploadPart", f"{number} of {self.subject}"):
            sent = self.client.upload_part(**self.upload, PartNumber=number, Body=part())
        self.parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _complete(self) -> None:
        with faults_of("CompleteMultipartUpload", self.subject):
            self.client.complete_multipart_upload(
                **self.upload, **self.condition, MultipartUpload={"Parts": self.parts}
            )

    def _is_ours(self) -> bool:
        try:
            found = self.backoff.run(self._head, self.stopped)
        except (faults.Missing, faults.Denied):
            return False
        return found["Metadata"].get(_MARK) == self.mark

    def _head(self) -> "HeadObjectOutputTypeDef":
        with faults_of("HeadObject", self.subject):
            return self.client.head_object(**self.place)
