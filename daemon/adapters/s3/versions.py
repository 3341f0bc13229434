"""Listing all versions of objects: what stays in a versioned bucket when only keys are deleted."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from consumers.core.objects import Version
from daemon.adapters.aws import faults_of
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

_PARSE = "before-parse.s3.ListObjectVersions"
_UNUSED = re.compile(
    rb"<(Owner|LastModified|StorageClass|ETag|IsLatest|ChecksumAlgorithm|ChecksumType)>.*?</\1>", re.DOTALL
)


def shorten(client: "S3Client") -> None:
    """Take out of the answers what nobody reads: owners and times are most of the time botocore needs."""
    client.meta.events.register(_PARSE, _cut, unique_id=_PARSE)


def _cut(response_dict: dict[str, Any], **_: object) -> None:
    response_dict["body"] = _UNUSED.sub(b"", response_dict["body"])


def listing(client: "S3Client", place: Mapping[str, str], backoff: Backoff) -> Iterator[Version]:
    """Yield every version and delete marker of a ``Bucket`` under a ``Prefix``, 1,000 a page."""
    asked: dict[str, Any] = dict(place)

    def ask() -> "ListObjectVersionsOutputTypeDef":
        with faults_of("ListObjectVersions", f"s3://{place['Bucket']}/{place['Prefix']}"):
            return client.list_object_versions(**asked)

    while True:
        page = backoff.run(ask)
        for entry in page.get("Versions", ()):
            yield Version(entry["Key"], entry["VersionId"], entry["Size"])
        for marker in page.get("DeleteMarkers", ()):
            yield Version(marker["Key"], marker["VersionId"], 0)
        if not page["IsTruncated"]:
            return
        asked["KeyMarker"], asked["VersionIdMarker"] = page["NextKeyMarker"], page["NextVersionIdMarker"]
