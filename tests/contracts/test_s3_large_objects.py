"""Objects written in parts, on the local AWS."""

import os
from collections.abc import Iterator

import pytest

from consumers.core.faults import Changed, PassingFault
from daemon.adapters.s3.writing import PART_BYTES
from deploy.local.processes import Server
from tests.contracts.benches import BUCKET, S3Bench, open_s3

PIECE = os.urandom(PART_BYTES // 3)


@pytest.fixture
def bench(fresh_aws: Server) -> Iterator[S3Bench]:
    yield from open_s3(fresh_aws)


def write(bench: S3Bench, pieces: int, *, if_absent: bool = False) -> None:
    with bench.port.writer("big", content_type="application/jsonl", if_absent=if_absent) as out:
        for _ in range(pieces):
            out.write(PIECE)


def open_uploads(bench: S3Bench) -> int:
    return len(bench.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def test_a_large_object_is_whole(bench: S3Bench) -> None:
    write(bench, 8)
    assert bench.read("big") == PIECE * 8
    assert bench.content_type("big") == "application/jsonl"
    assert open_uploads(bench) == 0


def test_a_large_object_written_at_once_is_whole(bench: S3Bench) -> None:
    with bench.port.writer("big", content_type="x/y") as out:
        out.write(PIECE * 7)
    assert bench.read("big") == PIECE * 7


def test_a_large_object_that_must_be_absent_is_written_once(bench: S3Bench) -> None:
    write(bench, 4, if_absent=True)
    with pytest.raises(Changed):
        write(bench, 5, if_absent=True)
    assert bench.read("big") == PIECE * 4
    assert open_uploads(bench) == 0


def test_nothing_stays_of_a_large_object_whose_writing_failed(bench: S3Bench) -> None:
    with pytest.raises(RuntimeError), bench.port.writer("big", content_type="x/y") as out:
        out.write(PIECE * 7)
        raise RuntimeError("in the middle")
    assert not bench.port.exists("big")
    assert open_uploads(bench) == 0


def test_a_part_that_was_not_taken_is_sent_again(bench: S3Bench, fresh_aws: Server) -> None:
    fresh_aws.control.add_faults(
        calls=[{"service": "s3", "operation": "UploadPart", "code": "SlowDown", "status": 503, "count": 2}]
    )
    write(bench, 8)
    assert bench.read("big") == PIECE * 8


def test_an_upload_whose_end_was_not_answered_is_whole(bench: S3Bench, fresh_aws: Server) -> None:
    fresh_aws.control.add_faults(
        calls=[{"service": "s3", "operation": "CompleteMultipartUpload", "lost_answer": True, "count": 1}]
    )
    write(bench, 8, if_absent=True)
    assert bench.read("big") == PIECE * 8


def test_an_upload_that_cannot_end_is_a_fault_and_leaves_nothing(bench: S3Bench, fresh_aws: Server) -> None:
    fresh_aws.control.add_faults(
        calls=[{"service": "s3", "operation": "CompleteMultipartUpload", "code": "InternalError"}]
    )
    with pytest.raises(PassingFault):
        write(bench, 4)
    assert not bench.port.exists("big")
    assert open_uploads(bench) == 0
