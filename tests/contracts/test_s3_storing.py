"""What the adapter makes of S3's answers to listings and writes."""

import gzip
from urllib.parse import parse_qs, urlsplit

import pytest

from consumers.core.faults import Changed, Denied
from consumers.core.objects import ObjectInfo
from daemon.adapters.s3 import S3Objects
from daemon.adapters.s3.writing import PART_BYTES
from tests.contracts.s3_stub import always, failed, in_turn, s3
from tests.http_stub import Reply, Request

# ── listings ──


def listing(*keys: str, more: str = "") -> Reply:
    entries = "".join(
        f'<Contents><Key>{key}</Key><Size>1</Size><ETag>"e"</ETag><StorageClass>GLACIER</StorageClass>'
        "<RestoreStatus><RestoreExpiryDate>2026-02-01T00:00:00Z</RestoreExpiryDate></RestoreStatus></Contents>"
        for key in keys
    )
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    head = f"<EncodingType>url</EncodingType><IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
    return Reply(200, f"<ListBucketResult>{head}{entries}{token}</ListBucketResult>".encode())


def test_every_page_of_a_listing_is_read_and_one_that_fails_is_asked_for_again() -> None:
    pages = in_turn(listing("a", more="t1"), failed("SlowDown", 503), listing("b%20c", more="t2"), listing())
    with s3(pages) as (objects, stub):
        assert [info.key for info in objects.list("p/", after="p/0")] == ["a", "b c"]
    asked = [parse_qs(urlsplit(request.path).query) for request in stub.requests]
    assert [each.get("continuation-token") for each in asked] == [None, ["t1"], ["t1"], ["t2"]]
    assert asked[0]["start-after"] == ["p/0"]


def test_a_restored_object_is_listed_as_one_that_can_be_read() -> None:
    with s3(always(listing("a"))) as (objects, _):
        assert list(objects.list("")) == [ObjectInfo("a", 1, "e", "STANDARD")]


def test_a_page_is_only_asked_for_when_it_is_needed() -> None:
    with s3(always(listing("a", more="t"))) as (objects, stub):
        next(iter(objects.list("")))
        assert len(stub.requests) == 1


# ── writing ──


def write(objects: S3Objects, data: bytes, key: str = "k", *, if_absent: bool = False) -> None:
    with objects.writer(key, content_type="application/jsonl", if_absent=if_absent) as out:
        out.write(data)


def test_a_small_object_takes_one_request() -> None:
    with s3(always(Reply(200))) as (objects, stub):
        write(objects, b"x" * PART_BYTES)
    assert [request.method for request in stub.requests] == ["PUT"]
    assert "If-None-Match" not in stub.requests[0].headers


def test_a_compressed_object_is_compressed_before_it_is_sent() -> None:
    with s3(always(Reply(200))) as (objects, stub):
        write(objects, b"one\n", "k.gz")
    assert gzip.decompress(stub.requests[0].body) == b"one\n"


def test_our_own_write_whose_answer_was_lost_is_no_change() -> None:
    marks: list[str] = []

    def lose_the_first_answer(request: Request) -> Reply:
        if request.method == "HEAD":
            return Reply(200, b"x", {"ETag": '"e"', "x-amz-meta-novabatch-write": marks[0]})
        marks.append(request.headers["x-amz-meta-novabatch-write"])
        return Reply(silent=True) if len(marks) == 1 else failed("PreconditionFailed", 412)

    with s3(lose_the_first_answer) as (objects, stub):
        write(objects, b"x", if_absent=True)
    assert [request.method for request in stub.requests] == ["PUT", "PUT", "HEAD"]
    assert stub.requests[0].headers["If-None-Match"] == "*"


def test_a_write_of_others_is_a_change() -> None:
    head = Reply(200, b"x", {"ETag": '"e"', "x-amz-meta-novabatch-write": "another"})
    with s3(in_turn(failed("PreconditionFailed", 412), head)) as (objects, _), pytest.raises(Changed):
        write(objects, b"x", if_absent=True)


def test_two_writes_at_once_are_tried_again() -> None:
    replies = in_turn(failed("ConditionalRequestConflict", 409), Reply(200))
    with s3(replies) as (objects, stub):
        write(objects, b"x", if_absent=True)
    assert len(stub.requests) == 2


def test_a_write_that_is_not_allowed_names_the_call_and_the_object() -> None:
    with s3(always(failed("AccessDenied", 403))) as (objects, _), pytest.raises(Denied) as told:
        write(objects, b"x")
    assert told.value.code == "AccessDenied"
    assert "PutObject s3://media/k" in told.value.message
