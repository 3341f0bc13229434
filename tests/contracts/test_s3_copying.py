"""What the adapter makes of S3's answers to copies and measures."""

import threading
from collections import Counter

import pytest

from consumers.core.faults import Archived, Changed, Denied, Fault, Missing, PassingFault, Rejected, Throttled
from consumers.core.objects import Copy, ObjectInfo
from daemon.adapters.backoff import Backoff
from daemon.adapters.s3 import S3Objects
from tests.contracts.benches import AT_ONCE
from tests.contracts.s3_stub import THREADS, always, failed, in_turn, s3
from tests.http_stub import Reply, Request

WHEN = b"<LastModified>2026-01-05T10:02:14.000Z</LastModified>"
COPIED = b'<CopyObjectResult><ETag>"x"</ETag>' + WHEN + b"</CopyObjectResult>"
NEVER = Backoff(tries=1_000, first=3_600, longest=3_600)


def copies(number: int) -> list[Copy]:
    return [Copy(each, "media", f"k{each}", "v1", f"copies/{each}", "video/mp4") for each in range(number)]


def only_fault(objects: S3Objects) -> Exception | None:
    ((_, fault),) = objects.copies(copies(1))
    return fault


# ── copies ──


def test_a_copy_asks_for_its_content_type_and_version_and_for_no_tags() -> None:
    with s3(always(Reply(200, COPIED))) as (objects, stub):
        assert only_fault(objects) is None
    asked = stub.requests[0].headers
    assert asked["x-amz-copy-source"] == "media/k0"
    assert asked["x-amz-copy-source-if-match"] == '"v1"'
    assert asked["x-amz-metadata-directive"] == asked["x-amz-tagging-directive"] == "REPLACE"
    assert asked["Content-Type"] == "video/mp4"


def test_a_copy_of_any_version_makes_no_condition() -> None:
    with s3(always(Reply(200, COPIED))) as (objects, stub):
        list(objects.copies([Copy(0, "media", "k", "", "c", "video/mp4")]))
    assert "x-amz-copy-source-if-match" not in stub.requests[0].headers


def test_an_error_inside_a_200_answer_is_no_copy() -> None:
    with s3(always(failed("InternalError", 200))) as (objects, stub):
        assert isinstance(only_fault(objects), PassingFault)
    assert len(stub.requests) == AT_ONCE.tries


def test_a_200_answer_that_failed_is_asked_for_again() -> None:
    with s3(in_turn(failed("SlowDown", 200), Reply(200, COPIED))) as (objects, _):
        assert only_fault(objects) is None


def test_no_copy_is_lost_to_slow_down() -> None:
    met: Counter[str] = Counter()
    lock = threading.Lock()

    def slow_at_first(request: Request) -> Reply:
        with lock:
            met[request.path] += 1
            return failed("SlowDown", 503) if met[request.path] <= 2 else Reply(200, COPIED)

    with s3(slow_at_first) as (objects, _):
        found = dict(objects.copies(copies(50)))
    assert len(found) == 50
    assert set(found.values()) == {None}


def test_slowing_down_for_ever_is_a_fault_beside_the_copy() -> None:
    with s3(always(failed("SlowDown", 503))) as (objects, _):
        assert type(only_fault(objects)) is Throttled


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (failed("NoSuchKey", 404), Missing),
        (failed("NoSuchBucket", 404), Missing),
        (failed("AccessDenied", 403), Denied),
        (failed("PreconditionFailed", 412), Changed),
        (failed("ObjectNotInActiveTierError", 403), Archived),
        (failed("InvalidObjectState", 403), Archived),
        (failed("InvalidRequest", 400), Rejected),
        (failed("KeyTooLongError", 400), Rejected),
        (failed("SlowDown", 503), Throttled),
        (failed("ServiceUnavailable", 503), Throttled),
        (failed("SlowDown", 200), Throttled),
        (failed("InternalError", 500), PassingFault),
        (failed("RequestTimeout", 400), PassingFault),
        (failed("ExpiredToken", 400), PassingFault),
        (failed("RequestTimeTooSkewed", 403), PassingFault),
        (Reply(502, b"<html>bad gateway</html>"), PassingFault),
        (Reply(200, silent=True), PassingFault),
        (Reply(200, COPIED, cut=20, reset=True), PassingFault),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_every_answer_to_a_copy_has_its_meaning(reply: Reply, kind: type[Fault]) -> None:
    with s3(always(reply)) as (objects, _):
        fault = only_fault(objects)
    assert type(fault) is kind
    assert "s3://media/k0" in str(fault)


def test_copies_not_begun_are_dropped_when_nobody_wants_them_any_more() -> None:
    with s3(always(Reply(200, COPIED))) as (objects, stub):
        some = objects.copies(copies(1_000))
        next(some)
        some.close()
        assert len(stub.requests) < 500


def test_waiting_to_try_again_ends_when_nobody_wants_the_copies_any_more() -> None:
    def only_the_first(request: Request) -> Reply:
        return Reply(200, COPIED) if request.path.endswith("/0") else failed("SlowDown", 503)

    with s3(only_the_first, NEVER) as (objects, _):
        some = objects.copies(copies(100))
        assert next(some) == (copies(1)[0], None)
        some.close()


def test_copies_are_made_side_by_side() -> None:
    together = threading.Barrier(THREADS)

    def wait_for_the_others(_: Request) -> Reply:
        together.wait(10)
        return Reply(200, COPIED)

    with s3(wait_for_the_others) as (objects, _):
        assert [fault for _, fault in objects.copies(copies(2 * THREADS))] == [None] * 2 * THREADS


def test_a_denied_copy_says_what_else_it_may_mean() -> None:
    with s3(always(failed("AccessDenied", 403))) as (objects, _):
        fault = only_fault(objects)
    assert isinstance(fault, Denied)
    assert "s3:ListBucket" in fault.message


# ── measures ──


def test_a_denied_measure_says_what_else_it_may_mean() -> None:
    with s3(in_turn(Reply(403), failed("AccessDenied", 403))) as (objects, _):
        (fault,) = objects.heads([("media", "k")])
    assert isinstance(fault, Denied)
    assert fault.code == "AccessDenied"
    assert "s3:ListBucket" in fault.message
    assert "s3://media/k" in fault.message


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, failed("ExpiredToken", 400), PassingFault),
        (403, failed("RequestTimeTooSkewed", 403), PassingFault),
        (400, failed("InvalidRequest", 400), Rejected),
        (403, Reply(200, b"x"), Denied),
    ],
)
def test_a_measure_refused_without_a_word_is_asked_for_the_reason(
    status: int, told: Reply, kind: type[Fault]
) -> None:
    with s3(lambda request: Reply(status) if request.method == "HEAD" else told) as (objects, _):
        (fault,) = objects.heads([("media", "k")])
    assert type(fault) is kind


def test_an_archived_object_that_was_restored_can_be_read() -> None:
    restored = {"x-amz-storage-class": "GLACIER", "ETag": '"v"', "x-amz-restore": 'ongoing-request="false"'}
    under_way = {**restored, "x-amz-restore": 'ongoing-request="true"'}
    with s3(in_turn(Reply(200, b"xy", restored), Reply(200, b"xy", under_way))) as (objects, _):
        assert list(objects.heads([("media", "k")])) == [ObjectInfo("k", 2, "v", "STANDARD")]
        assert list(objects.heads([("media", "k")])) == [ObjectInfo("k", 2, "v", "GLACIER")]


def test_whether_a_key_exists_is_not_guessed_when_it_may_not_be_asked() -> None:
    with s3(always(Reply(403))) as (objects, _), pytest.raises(Denied):
        objects.exists("k")
