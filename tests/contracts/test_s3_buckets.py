"""Buckets as teams have them: encrypted by a key of their own, versioned, with tags on their objects."""

from collections.abc import Iterator

import pytest

from consumers.core.faults import Fault, Rejected
from consumers.core.objects import Copy
from deploy.local.processes import Server
from tests.contracts.benches import BUCKET, OTHER_BUCKET, S3Bench, open_s3

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def bench(fresh_aws: Server) -> Iterator[S3Bench]:
    yield from open_s3(fresh_aws)


def copy(bench: S3Bench, key: str, etag: str = "", to: str = "copies/1") -> Fault | None:
    ((_, fault),) = bench.port.copies([Copy(0, BUCKET, key, etag, to, "video/mp4")])
    return fault


def encrypt(bench: S3Bench, bucket: str) -> None:
    bench.client.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}
            ]
        },
    )


def test_a_copy_in_a_bucket_encrypted_by_default_is_encrypted_with_its_key(bench: S3Bench) -> None:
    encrypt(bench, BUCKET)
    etag = bench.put("a", b"film")
    assert copy(bench, "a", etag) is None
    found = bench.client.head_object(Bucket=BUCKET, Key="copies/1")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KEY)
    assert [(info.key, info.bytes) for info in bench.port.list("copies/")] == [("copies/1", 4)]


def test_an_original_encrypted_elsewhere_is_copied(bench: S3Bench) -> None:
    encrypt(bench, OTHER_BUCKET)
    etag = bench.put("a", b"film", bucket=OTHER_BUCKET)
    ((_, fault),) = bench.port.copies([Copy(0, OTHER_BUCKET, "a", etag, "copies/1", "video/mp4")])
    assert fault is None
    assert bench.read("copies/1") == b"film"


def test_a_copy_is_of_the_newest_version(bench: S3Bench) -> None:
    bench.keep_versions()
    bench.put("a", b"old")
    etag = bench.put("a", b"new one")
    assert copy(bench, "a", etag) is None
    assert bench.read("copies/1") == b"new one"


def test_a_copy_made_again_in_a_versioned_bucket_is_listed_once_and_deleted_for_good(bench: S3Bench) -> None:
    bench.keep_versions()
    bench.put("a", b"film")
    assert [copy(bench, "a"), copy(bench, "a")] == [None, None]
    assert [(info.key, info.bytes) for info in bench.port.list("copies/")] == [("copies/1", 4)]
    assert bench.port.delete([*bench.port.versions("copies/")]) == {}
    assert list(bench.port.versions("copies/")) == []
    assert not bench.port.exists("copies/1")


def test_a_file_deleted_in_a_versioned_bucket_is_missing(bench: S3Bench) -> None:
    bench.keep_versions()
    etag = bench.put("a", b"film")
    bench.client.delete_object(Bucket=BUCKET, Key="a")
    assert type(copy(bench, "a", etag)).__name__ == "Missing"


def test_tags_and_metadata_stay_behind(bench: S3Bench) -> None:
    bench.client.put_object(
        Bucket=BUCKET, Key="a", Body=b"x", Tagging="team=films", Metadata={"camera": "7"}, ContentType="x/y"
    )
    assert copy(bench, "a") is None
    assert bench.client.get_object_tagging(Bucket=BUCKET, Key="copies/1")["TagSet"] == []
    found = bench.client.head_object(Bucket=BUCKET, Key="copies/1")
    assert (found["Metadata"], found["ContentType"]) == ({}, "video/mp4")


def test_a_source_beyond_the_limit_of_one_copy_is_rejected_with_the_limit(bench: S3Bench) -> None:
    bench.client.put_object(Bucket=BUCKET, Key="a", Body=b"x", Metadata={"fake-size": str(6 * 1024**3)})
    fault = copy(bench, "a")
    assert isinstance(fault, Rejected)
    assert str(5 * 1024**3) in fault.message
