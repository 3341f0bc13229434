"""Copying one object and measuring one object: the two calls made once for every file."""

from typing import TYPE_CHECKING, Any

from consumers.core import faults
from consumers.core.objects import Copy, ObjectInfo
from daemon.adapters.aws import faults_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def copy(client: "S3Client", bucket: str, copy: Copy) -> None:
    """Copy one object into ``bucket`` with the Content-Type it should have; tags and metadata stay behind.

    Tags are not copied because reading them takes a permission of its own. An error inside a 200 answer
    (AWS: CopyObject) is raised by botocore like any other.
    """
    condition: dict[str, Any] = {"CopySourceIfMatch": quoted(copy.etag)} if copy.etag else {}
    try:
        with faults_of("CopyObject", f"s3://{copy.source_bucket}/{copy.source_key} to {copy.key}"):
            client.copy_object(
                Bucket=bucket,
                Key=copy.key,
                CopySource={"Bucket": copy.source_bucket, "Key": copy.source_key},
                ContentType=copy.content_type,
                MetadataDirective="REPLACE",
                TaggingDirective="REPLACE",
                **condition,
            )
    except faults.Denied as denied:
        raise _or_missing(denied) from denied


def head(client: "S3Client", bucket: str, key: str) -> ObjectInfo:
    """Measure one object."""
    try:
        with faults_of("HeadObject", f"s3://{bucket}/{key}"):
            answer = client.head_object(Bucket=bucket, Key=key)
    except (faults.Denied, faults.Rejected) as fault:
        raise _explained(client, bucket, key, fault) from fault
    # A restored copy can be read like any object until it expires (AWS: HeadObject, x-amz-restore).
    restored = 'ongoing-request="false"' in answer.get("Restore", "")
    storage_class = "STANDARD" if restored else answer.get("StorageClass", "STANDARD")
    return ObjectInfo(key, answer["ContentLength"], unquoted(answer["ETag"]), storage_class)


def _explained(client: "S3Client", bucket: str, key: str, fault: faults.Fault) -> faults.Fault:
    """Ask for the object itself to hear why: the answer to a HEAD has no body, hence no error code.

    An expired token (400) and a clock gone wrong (403) would pass for faults of the file.
    """
    try:
        with faults_of("GetObject", f"s3://{bucket}/{key}"):
            client.get_object(Bucket=bucket, Key=key)["Body"].close()
    except faults.Denied as denied:
        return _or_missing(denied)
    except faults.Fault as told:
        return told
    return fault


def _or_missing(denied: faults.Denied) -> faults.Denied:
    """Say what else a denial may mean (AWS: GetObject, HeadObject, permissions)."""
    why = "Or there is no such object: without s3:ListBucket a missing key is answered so too"
    return faults.Denied(f"{denied.message}. {why}", denied.code)


def quoted(etag: str) -> str:
    """Write an ETag as HTTP wants it in a condition."""
    return f'"{unquoted(etag)}"'


def unquoted(etag: str) -> str:
    """Write an ETag as this system stores it."""
    return etag.strip('"')
