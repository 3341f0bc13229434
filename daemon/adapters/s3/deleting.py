"""Deleting versions, and reading what the answer says about each of them."""

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from consumers.core.faults import PassingFault
from consumers.core.objects import Version
from daemon.adapters.aws import faults_of, with_permission
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ErrorTypeDef, ObjectIdentifierTypeDef

# AWS: DeleteObjects takes at most 1,000 entries and answers 200 with an error for each that stayed.
VERSIONS_A_CALL = 1000
CALL = "DeleteObjects"
_PASSING = frozenset(
    {"InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted", "RequestTimeout"}
)
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


class _Stayed(PassingFault):
    """Some versions could not be deleted just now."""


def delete(
    client: "S3Client",
    bucket: str,
    versions: Sequence[Version],
    backoff: Backoff,
    stopped: threading.Event,
) -> dict[Version, str]:
    """Delete at most a thousand versions; returns those that stayed with the reason."""
    final: dict[Version, str] = {}
    passing: dict[Version, str] = dict.fromkeys(versions, "")

    def once() -> None:
        errors = list(_delete(client, bucket, list(passing)))
        passing.clear()
        for version, code, message in errors:
            (passing if code in _PASSING else final)[version] = with_permission(CALL, code, message)
        if passing:
            raise _Stayed(f"{len(passing)} objects stayed")

    try:
        backoff.run(once, stopped)
    except _Stayed:
        return final | passing
    return final


def _delete(
    client: "S3Client", bucket: str, versions: Sequence[Version]
) -> Iterator[tuple[Version, str, str]]:
    """Delete once; yields what stayed, with the code and the message of S3."""
    named: list[ObjectIdentifierTypeDef] = [{"Key": each.key, "VersionId": each.id} for each in versions]
    with faults_of(CALL, f"{len(named)} objects of s3://{bucket}"):
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
    for error in answer.get("Errors", ()):
        if error.get("Code") not in _GONE:
            for version in _meant(error, versions):
                yield version, error.get("Code", ""), error.get("Message", "")


def _meant(error: "ErrorTypeDef", versions: Sequence[Version]) -> Iterator[Version]:
    """Find what an error speaks of; one without a version speaks of all of its key."""
    for version in versions:
        if version.key == error.get("Key") and version.id == error.get("VersionId", version.id):
            yield version
