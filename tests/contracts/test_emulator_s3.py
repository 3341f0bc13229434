from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contracts.local_aws import LocalAws

pytest_plugins = ("tests.contracts.local_aws_fixtures",)


def copy(emulator: LocalAws, **options: Any) -> dict[str, Any]:
    source = {"Bucket": emulator.bucket, "Key": "a.mp4"}
    return dict(emulator.s3.copy_object(Bucket=emulator.bucket, Key="copy.mp4", CopySource=source, **options))


def size(emulator: LocalAws, key: str) -> int:
    return int(emulator.s3.head_object(Bucket=emulator.bucket, Key=key)["ContentLength"])


def test_a_copy_obeys_the_etag_it_is_given(emulator: LocalAws) -> None:
    emulator.put("a.mp4")
    etag = emulator.s3.head_object(Bucket=emulator.bucket, Key="a.mp4")["ETag"]
    copy(emulator, CopySourceIfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed") as caught:
        copy(emulator, CopySourceIfMatch='"other"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    with pytest.raises(ClientError, match="PreconditionFailed"):
        copy(emulator, CopySourceIfNoneMatch=etag)


def test_a_copy_obeys_the_times_it_is_given(emulator: LocalAws) -> None:
    emulator.put("a.mp4")
    now, hour = datetime.now(UTC), timedelta(hours=1)
    copy(emulator, CopySourceIfUnmodifiedSince=now + hour)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        copy(emulator, CopySourceIfUnmodifiedSince=now - hour)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        copy(emulator, CopySourceIfModifiedSince=now + hour)


def test_an_object_can_claim_a_size_and_a_copy_keeps_it(emulator: LocalAws) -> None:
    emulator.put("a.mp4", size=900_000_000)
    copy(emulator)
    assert (size(emulator, "a.mp4"), size(emulator, "copy.mp4")) == (900_000_000, 900_000_000)
    copy(emulator, MetadataDirective="REPLACE", ContentType="video/quicktime", Metadata={})
    assert size(emulator, "copy.mp4") == 900_000_000
    assert emulator.s3.head_object(Bucket=emulator.bucket, Key="copy.mp4")["ContentType"] == "video/quicktime"
    listed = emulator.s3.list_objects_v2(Bucket=emulator.bucket)["Contents"]
    assert {each["Size"] for each in listed} == {900_000_000}
    assert emulator.read("copy.mp4") == b"abcd"


def test_a_copy_without_a_new_content_type_keeps_the_wrong_one(emulator: LocalAws) -> None:
    emulator.put("a.mp4", kind="binary/octet-stream")
    copy(emulator, ContentType="video/mp4")
    assert (
        emulator.s3.head_object(Bucket=emulator.bucket, Key="copy.mp4")["ContentType"]
        == "binary/octet-stream"
    )


def test_an_object_over_five_gib_cannot_be_copied_in_one_call(emulator: LocalAws) -> None:
    emulator.put("a.mp4", size=5 * 1024**3 + 1)
    with pytest.raises(ClientError, match="maximum allowable size"):
        copy(emulator)


def test_a_thousand_keys_are_deleted_at_once_and_no_more(emulator: LocalAws) -> None:
    keys = [{"Key": f"k{number}"} for number in range(1001)]
    with pytest.raises(ClientError, match="MalformedXML"):
        emulator.s3.delete_objects(Bucket=emulator.bucket, Delete={"Objects": keys})
    answer = emulator.s3.delete_objects(Bucket=emulator.bucket, Delete={"Objects": keys[:1000]})
    assert len(answer["Deleted"]) == 1000


def test_a_conditional_write_does_not_replace(emulator: LocalAws) -> None:
    emulator.s3.put_object(Bucket=emulator.bucket, Key="plan.jsonl", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        emulator.s3.put_object(Bucket=emulator.bucket, Key="plan.jsonl", Body=b"second", IfNoneMatch="*")
    assert emulator.read("plan.jsonl") == b"first"


def test_a_range_is_read_only_from_the_same_object(emulator: LocalAws) -> None:
    emulator.put("a.txt", b"0123456789")
    etag = emulator.s3.head_object(Bucket=emulator.bucket, Key="a.txt")["ETag"]
    answer = emulator.s3.get_object(Bucket=emulator.bucket, Key="a.txt", Range="bytes=4-", IfMatch=etag)
    assert answer["Body"].read() == b"456789"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        emulator.s3.get_object(Bucket=emulator.bucket, Key="a.txt", Range="bytes=4-", IfMatch='"other"')
