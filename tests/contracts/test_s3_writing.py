"""Objects larger than one call may carry, on a server that keeps nothing: sent in parts, never held whole."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from daemon.adapters.s3 import S3Objects
from daemon.adapters.s3.writing import PART_BYTES
from tests.contracts.s3_stub import failed, s3
from tests.http_stub import Reply, Request, Stub

# AWS: 5 GB is the most that PutObject or UploadPart takes, and an upload has 10,000 parts. Here it is less.
MOST_A_CALL = PART_BYTES
PIECE = bytes(64_000)
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
COMPLETED = b'<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>'


@dataclass
class Forgetful:
    """An S3 that counts bytes and refuses a call with more of them than it may carry."""

    stub: Stub | None = None
    sizes: list[int] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        if self.stub is not None:
            self.stub.requests.clear()
        if request.method == "POST":
            return Reply(body=BEGUN if request.path.endswith("?uploads") else COMPLETED)
        self.sizes.append(_size(request))
        if self.sizes[-1] > MOST_A_CALL:
            return failed("EntityTooLarge")
        return Reply(headers={"ETag": '"part"'})


def _size(request: Request) -> int:
    return int(request.headers.get("x-amz-decoded-content-length") or len(request.body))


@contextmanager
def forgetful() -> Iterator[tuple[S3Objects, Forgetful]]:
    server = Forgetful()
    with s3(server.answer) as (objects, stub):
        server.stub = stub
        yield objects, server


def write(objects: S3Objects, size: int) -> int:
    """Write an object of about so many bytes in small pieces; returns its size."""
    pieces = size // len(PIECE)
    with objects.writer("results.jsonl", content_type="application/jsonl") as out:
        for _ in range(pieces):
            out.write(PIECE)
    return pieces * len(PIECE)


def most_held(objects: S3Objects, size: int) -> int:
    tracemalloc.start()
    try:
        write(objects, size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


def test_an_object_larger_than_one_call_may_carry_is_written() -> None:
    with forgetful() as (objects, server):
        size = write(objects, 3 * MOST_A_CALL + 1_000_000)
    assert sum(server.sizes) == size
    assert len(server.sizes) == 4
    assert max(server.sizes) <= MOST_A_CALL


def test_memory_stays_flat_however_large_an_object_is_written() -> None:
    with forgetful() as (objects, _):
        few, many = 3 * PART_BYTES, 30 * PART_BYTES
        little, much = most_held(objects, few), most_held(objects, many)
    assert much - little < PART_BYTES < (many - few) / 20, (little, much)
