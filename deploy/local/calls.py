"""Which AWS operation a request is, and how often each was called."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

Environ = dict[str, Any]

SCOPE = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")
BEDROCK = (
    ("POST", re.compile(r"^/model-invocation-job$"), "CreateModelInvocationJob"),
    ("GET", re.compile(r"^/model-invocation-jobs$"), "ListModelInvocationJobs"),
    ("POST", re.compile(r"^/model-invocation-job/[^/]+/stop$"), "StopModelInvocationJob"),
    ("GET", re.compile(r"^/model-invocation-job/.+$"), "GetModelInvocationJob"),
    ("GET", re.compile(r"^/foundation-models/.+$"), "GetFoundationModel"),
    ("GET", re.compile(r"^/inference-profiles/.+$"), "GetInferenceProfile"),
)
S3_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
S3_SIGNS = (("delete", "DeleteObjects"), ("versions", "ListObjectVersions"), ("list-type", "ListObjectsV2"))
S3_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}


def name_of(environ: Environ) -> tuple[str, str]:
    """Return service and operation of a request, as botocore names them."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, operation = target.rsplit(".", 1)
        return {"AmazonSQS": "sqs", "AWSEvents": "events"}.get(prefix, prefix), operation
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = scope.group(2) if scope else "s3"
    parts = urlsplit(environ.get("RAW_URI", "/"))
    method = environ["REQUEST_METHOD"]
    if service == "bedrock":
        found = (name for verb, path, name in BEDROCK if verb == method and path.match(parts.path))
        return service, next(found, "unknown")
    if service == "s3":
        return service, _s3_operation(method, parts.path, parts.query, environ)
    return service, "unknown"


def caller_of(environ: Environ) -> str:
    """Return the access key id a request is signed with, if it is signed."""
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return scope.group(1) if scope else ""


def _s3_operation(method: str, path: str, query_string: str, environ: Environ) -> str:
    query = parse_qs(query_string, keep_blank_values=True)
    bucket, _, key = path.strip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if not key:
        return next((name for sign, name in S3_SIGNS if sign in query), S3_BUCKET.get(method, "unknown"))
    copies = "HTTP_X_AMZ_COPY_SOURCE" in environ
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "uploadId" in query:
        part = "UploadPartCopy" if copies else "UploadPart"
        return {"PUT": part, "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}.get(
            method, "ListParts"
        )
    return "CopyObject" if copies else S3_OBJECT.get(method, "unknown")


class Calls:
    """Counts of answered calls by service, operation and HTTP status, and who makes which."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._made: dict[str, Counter[str]] = {}
        self._open: list[tuple[str, str]] = []

    def add(self, service: str, operation: str, status: str) -> None:
        """Count one call; the status of a dropped connection is `lost`."""
        with self._lock:
            self._counts[service, operation, status] += 1

    @contextmanager
    def open(self, caller: str, operation: str) -> Iterator[None]:
        """Note a call for as long as it is worked on."""
        with self._lock:
            self._made.setdefault(caller, Counter())[operation] += 1
            self._open.append((caller, operation))
        try:
            yield
        finally:
            with self._lock:
                self._open.remove((caller, operation))

    def of(self, caller: str) -> dict[str, Any]:
        """Return `{"made": {operation: n}, "open": [operation]}` of a caller, by its access key id."""
        with self._lock:
            made = dict(self._made.get(caller, {}))
            return {"made": made, "open": [operation for name, operation in self._open if name == caller]}

    def clear(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self._counts.clear()
            self._made.clear()

    def describe(self) -> dict[str, dict[str, dict[str, int]]]:
        """Return `{service: {operation: {"total": n, status: n}}}`."""
        with self._lock:
            counts = dict(self._counts)
        shown: dict[str, dict[str, dict[str, int]]] = {}
        for (service, operation, status), number in sorted(counts.items()):
            row = shown.setdefault(service, {}).setdefault(operation, {"total": 0})
            row["total"] += number
            row[status] = row.get(status, 0) + number
        return shown
