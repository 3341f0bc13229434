"""Deleting keys, and reading what the answer says about each of them."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from consumers.core.faults import PassingFault
from daemon.adapters.aws import faults_of
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# AWS: DeleteObjects takes at most 1,000 keys and answers 200 with an entry for each key that stayed.
KEYS_A_CALL = 1000
_PASSING = frozenset(
    {"InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted", "RequestTimeout"}
)
_GONE = "NoSuchKey"


class _Stayed(PassingFault):
    """Some keys could not be deleted just now."""


def delete(
    client: "S3Client", bucket: str, keys: Sequence[str], backoff: Backoff, stopped: threading.Event
) -> dict[str, str]:
    """Delete at most a thousand keys; returns those that stayed with the reason."""
    final: dict[str, str] = {}
    passing: dict[str, str] = dict.fromkeys(keys, "")

    def once() -> None:
        errors = _delete(client, bucket, list(passing))
        passing.clear()
        for key, (code, message) in errors.items():
            (passing if code in _PASSING else final)[key] = f"{code}: {message}"
        if passing:
            raise _Stayed(f"{len(passing)} keys stayed")

    try:
        backoff.run(once, stopped)
    except _Stayed:
        return final | passing
    return final


def _delete(client: "S3Client", bucket: str, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    with faults_of("DeleteObjects", f"{len(keys)} keys of s3://{bucket}"):
        answer = client.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
    entries = ((e.get("Key", ""), e.get("Code", ""), e.get("Message", "")) for e in answer.get("Errors", ()))
    return {key: (code, message) for key, code, message in entries if code != _GONE}
