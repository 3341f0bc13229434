"""Local files on their way into the bucket."""

import os
import tracemalloc
from pathlib import Path

from consumers.core.faults import Changed, PassingFault
from consumers.core.local import Upload
from daemon.adapters.s3 import S3Objects
from daemon.adapters.s3.uploading import PART_BYTES
from deploy.local.processes import Server
from tests.contracts.benches import open_s3
from tests.contracts.s3_stub import always, failed, in_turn, s3
from tests.http_stub import Reply, Request

FILM = os.urandom(300_000)
UPLOAD = Upload(0, "a.mov", "copies/a.mov", "video/quicktime")
BEGUN = Reply(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")


def only_fault(objects: S3Objects) -> Exception | None:
    ((_, fault),) = objects.uploads([UPLOAD])
    return fault


def large(root: Path) -> None:
    """Lay down a file of two parts that takes no room on the disk."""
    with (root / "a.mov").open("wb") as file:
        file.truncate(PART_BYTES + 1_000_000)


def test_a_file_takes_one_request_with_its_content_type(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(FILM)
    with s3(always(Reply(200)), root=tmp_path) as (objects, stub):
        assert only_fault(objects) is None
    (sent,) = stub.requests
    assert (sent.method, sent.body, sent.headers["Content-Type"]) == ("PUT", FILM, "video/quicktime")


def test_a_file_that_was_not_taken_is_sent_again_from_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(FILM)
    replies = in_turn(failed("SlowDown", 503), Reply(silent=True), Reply(200))
    with s3(replies, root=tmp_path) as (objects, stub):
        assert only_fault(objects) is None
    assert stub.requests[-1].body == FILM


def test_a_file_that_never_can_be_sent_is_a_fault_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(FILM)
    with s3(always(failed("InternalError", 500)), root=tmp_path) as (objects, _):
        assert isinstance(only_fault(objects), PassingFault)


def test_a_large_file_is_whole_and_is_never_held_in_memory(fresh_aws: Server) -> None:
    for bench in open_s3(fresh_aws):
        large(bench.root)
        tracemalloc.start()
        assert only_fault(bench.port) is None
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < PART_BYTES / 4
        found = bench.client.head_object(Bucket="media", Key=UPLOAD.key)
        assert (found["ContentLength"], found["ContentType"]) == (PART_BYTES + 1_000_000, "video/quicktime")
        assert "-2" in found["ETag"]


def test_a_file_written_while_it_is_sent_is_no_upload(tmp_path: Path) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(FILM)

    def write_meanwhile(_: Request) -> Reply:
        file.write_bytes(FILM[:1000])
        return Reply(200)

    with s3(write_meanwhile, root=tmp_path) as (objects, _):
        fault = only_fault(objects)
    assert isinstance(fault, Changed)
    assert "300000" in fault.message


def test_a_file_written_while_s3_was_slow_is_not_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "a.mov"
    file.write_bytes(FILM)

    def write_meanwhile(_: Request) -> Reply:
        file.write_bytes(FILM + b"more")
        return failed("SlowDown", 503)

    with s3(write_meanwhile, root=tmp_path) as (objects, stub):
        assert isinstance(only_fault(objects), Changed)
    assert [request.method for request in stub.requests] == ["PUT"]


def test_a_large_file_that_becomes_shorter_leaves_nothing_behind(tmp_path: Path) -> None:
    large(tmp_path)

    def cut_meanwhile(request: Request) -> Reply:
        if "partNumber=1" in request.path:
            os.truncate(tmp_path / "a.mov", 10)
        return BEGUN if "uploads" in request.path else Reply(200, headers={"ETag": '"e"'})

    with s3(cut_meanwhile, root=tmp_path) as (objects, stub):
        assert isinstance(only_fault(objects), Changed)
    asked = [(request.method, request.path.partition("?")[2]) for request in stub.requests]
    assert [method for method, _ in asked] == ["POST", "PUT", "DELETE"]
    assert asked[-1][1] == "uploadId=u"


def test_a_large_upload_ends_between_two_parts_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    large(tmp_path)
    (tmp_path / "small.mov").write_bytes(FILM)
    parts = []

    def answer(request: Request) -> Reply:
        if "partNumber" in request.path:
            parts.append(request.path)
        return BEGUN if "uploads" in request.path else Reply(200, headers={"ETag": '"e"'})

    with s3(answer, root=tmp_path) as (objects, stub):
        some = objects.uploads([Upload(1, "small.mov", "copies/s.mov", "video/mp4"), UPLOAD])
        assert next(some)[0].position == 1
        some.close()
        assert len(parts) <= 1
        assert [request.method for request in stub.requests].count("DELETE") == len(parts)
