"""What moto's S3 gets wrong, mended, and objects that claim to be larger than they are."""

import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import xmltodict  # type: ignore[import-untyped]
from moto.s3 import models, responses
from moto.s3.exceptions import MalformedXML, PreconditionFailed, S3ClientError

from deploy.local.patching import original, replace

FAKE_SIZE = "x-amz-meta-fake-size"
COPY_LIMIT = 5 * 1024**3
DELETE_LIMIT = 1000


def size(key: Any) -> int:
    """Return the size the object's metadata claims, else the real one."""
    claimed = key.metadata.get(FAKE_SIZE)
    return int(claimed) if claimed else int(key.contentsize)


def apply(lock: threading.RLock) -> None:
    """Replace the faulty parts of moto's S3 in this process; every request runs under `lock`.

    moto checks a conditional write and then writes, and lists a dict that another thread may change.
    """
    replace(models.FakeKey, "size", property(size))
    _lock_etags(models.FakeKey)
    for name in ("_key_response", "_bucket_response"):
        _run_under(lock, responses.S3Response, name)
    _check_copies(responses.S3Response)
    _keep_fake_size(models.S3Backend)
    _send_true_length(responses.S3Response)
    _limit_deletions(responses.S3Response)


def _lock_etags(key_class: Any) -> None:
    compute = original(key_class, "etag").fget

    def etag(key: Any) -> str:
        # Reading moves the buffer's position, which a concurrent copy reads from too.
        with key.lock:
            return str(compute(key))

    replace(key_class, "etag", property(etag))


def _run_under(lock: threading.RLock, owner: Any, name: str) -> None:
    handle = original(owner, name)

    def locked(self: Any, *args: Any, **rest: Any) -> Any:
        with lock:
            return handle(self, *args, **rest)

    replace(owner, name, locked)


def _check_copies(response_class: Any) -> None:
    copy = original(response_class, "copy_object")

    def copy_object(self: Any) -> Any:
        source = _copy_source(self)
        if source is not None:
            check_conditions(source, self.headers.get)
            if source.size > COPY_LIMIT:
                raise S3ClientError(
                    "InvalidRequest",
                    "The specified copy source is larger than the maximum allowable size for a copy source: "
                    f"{COPY_LIMIT}",
                )
        return copy(self)

    replace(response_class, "copy_object", copy_object)


def _copy_source(response: Any) -> Any:
    parsed = urlparse(response.headers["x-amz-copy-source"])
    bucket, key = unquote(parsed.path).lstrip("/").split("/", 1)
    version = parse_qs(parsed.query).get("versionId", [None])[0]
    return response.backend.get_object(bucket, key, version_id=version)


def check_conditions(source: Any, header: Callable[[str], str | None]) -> None:
    """Raise PreconditionFailed unless the copy's source is as the caller demands."""
    prefix = "x-amz-copy-source-if-"
    etag, modified = source.etag.strip('"'), source.last_modified.replace(microsecond=0)
    match, since = header(prefix + "match"), header(prefix + "modified-since")
    unmatch, until = header(prefix + "none-match"), header(prefix + "unmodified-since")
    if match is not None and match.strip('"') != etag:
        raise PreconditionFailed(failed_condition="x-amz-copy-source-If-Match")
    if unmatch is not None and unmatch.strip('"') == etag:
        raise PreconditionFailed(failed_condition="x-amz-copy-source-If-None-Match")
    if until and match is None and modified > _naive(until):
        raise PreconditionFailed(failed_condition="x-amz-copy-source-If-Unmodified-Since")
    if since and unmatch is None and modified <= _naive(since):
        raise PreconditionFailed(failed_condition="x-amz-copy-source-If-Modified-Since")


def _naive(header: str) -> Any:
    return parsedate_to_datetime(header).replace(tzinfo=None)


def _keep_fake_size(backend_class: Any) -> None:
    copy = original(backend_class, "copy_object")

    def copy_object(
        self: Any, src_key: Any, dest_bucket_name: str, dest_key_name: str, *args: Any, **rest: Any
    ) -> None:
        copy(self, src_key, dest_bucket_name, dest_key_name, *args, **rest)
        claimed = src_key.metadata.get(FAKE_SIZE)
        if claimed:
            self.get_object(dest_bucket_name, dest_key_name).metadata[FAKE_SIZE] = claimed

    replace(backend_class, "copy_object", copy_object)


def _send_true_length(response_class: Any) -> None:
    get = original(response_class, "get_object")

    def get_object(self: Any) -> Any:
        status, headers, body = get(self)
        if status in (200, 206):
            headers["content-length"] = str(len(body))
        return status, headers, body

    replace(response_class, "get_object", get_object)


def _limit_deletions(response_class: Any) -> None:
    delete = original(response_class, "_bucket_response_delete_keys")

    def delete_keys(self: Any, *args: Any, **rest: Any) -> Any:
        listed = xmltodict.parse(self.body, force_list=("Object",))["Delete"].get("Object") or []
        if len(listed) > DELETE_LIMIT:
            raise MalformedXML()
        return delete(self, *args, **rest)

    replace(response_class, "_bucket_response_delete_keys", delete_keys)
