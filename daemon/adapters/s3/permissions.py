"""What may be done with a bucket, found out without changing anything in it."""

from typing import TYPE_CHECKING

from consumers.core.faults import Changed, Missing, Rejected
from daemon.adapters.aws import faults_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NO_ETAG = '"00000000000000000000000000000000"'


def region_of(client: "S3Client", bucket: str) -> str:
    """Ask where a bucket is; empty where S3 does not say."""
    with faults_of("HeadBucket", bucket):
        return client.head_bucket(Bucket=bucket).get("BucketRegion", "")


def try_to_write(client: "S3Client", bucket: str, key: str) -> None:
    """Put over an object that is not there: S3 refuses, but as Denied only whoever may not write.

    AWS: PutObject with If-Match answers 404 where the key has no object.
    """
    try:
        with faults_of("PutObject", f"s3://{bucket}/{key}"):
            client.put_object(Bucket=bucket, Key=key, IfMatch=NO_ETAG, Body=b"")
    except (Missing, Changed):
        return
    raise Rejected(
        f"PutObject s3://{bucket}/{key} was carried out although its condition did not hold: plans and "
        "results are not safe in a store that ignores If-Match; delete that empty object"
    )
