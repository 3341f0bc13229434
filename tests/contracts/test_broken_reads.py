"""Reading lines over connections that break, from a server that breaks them where the test says."""

import gzip
import re
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from consumers.core.faults import Changed, PassingFault, Rejected
from daemon.adapters.s3 import S3Objects
from daemon.adapters.s3.reading import LONGEST_LINE
from tests.aws import s3_client
from tests.contracts.benches import AT_ONCE
from tests.http_stub import Reply, Request, Stub, serve

LINES = [f"{number}:".encode() + b"x" * (number % 1000) for number in range(6_000)]
DATA = b"\n".join(LINES) + b"\n"


@dataclass
class OneObject:
    """Serves one object by ranges; each answer breaks after the next of ``cuts`` bytes."""

    data: bytes = DATA
    etag: str = '"v1"'
    cuts: list[int] = field(default_factory=list)
    reset: bool = False
    changes_after: int = 10**9
    answers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        with self.lock:
            self.answers += 1
            etag = self.etag if self.answers <= self.changes_after else '"v2"'
            wanted = request.headers.get("If-Match")
            if wanted not in (None, etag):
                return Reply(412, error("PreconditionFailed"))
            start = first_byte(request)
            if start and start >= len(self.data):
                return Reply(416, error("InvalidRange"))
            cut = self.cuts.pop(0) if self.cuts else None
        headers = {"ETag": etag, "Content-Range": f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"}
        return Reply(
            206 if start else 200, memoryview(self.data)[start:], headers, cut, self.reset and cut is not None
        )


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>said the stub</Message></Error>".encode()


def first_byte(request: Request) -> int:
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "bytes=0-"))
    assert found
    return int(found[1])


@contextmanager
def reader(served: OneObject) -> Iterator[tuple[S3Objects, Stub]]:
    with serve(served.answer) as stub:
        client = s3_client(stub.url)
        objects = S3Objects(client, "media", 2, AT_ONCE, AT_ONCE)
        yield objects, stub
        objects.close()
        client.close()


def lines_of(objects: S3Objects, start: int = 0) -> list[bytes]:
    return [line for _, line in objects.lines("out.jsonl", start=start)]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_read_that_breaks_goes_on_at_the_very_byte(reset: bool) -> None:
    served = OneObject(cuts=[1_500_000, 900_000, 0, 10], reset=reset)
    with reader(served) as (objects, stub):
        assert lines_of(objects) == LINES
    first, *later = stub.requests
    assert "Range" not in first.headers
    assert "If-Match" not in first.headers
    assert {request.headers["If-Match"] for request in later} == {'"v1"'}
    assert served.cuts == []


def test_offsets_stay_right_across_a_break() -> None:
    with reader(OneObject(cuts=[1_200_000])) as (objects, _):
        offset = 0
        for behind, line in objects.lines("out.jsonl"):
            offset += len(line) + 1
            assert behind == offset
        assert offset == len(DATA)


def test_a_read_begun_in_the_middle_goes_on_from_there() -> None:
    start = len(b"\n".join(LINES[:4_000])) + 1
    with reader(OneObject(cuts=[700_000])) as (objects, stub):
        assert lines_of(objects, start) == LINES[4_000:]
    assert first_byte(stub.requests[0]) == start


def test_a_connection_that_never_lasts_still_gets_to_the_end() -> None:
    data = DATA[:400_000]
    with reader(OneObject(data=data, cuts=[30_000] * 1_000)) as (objects, _):
        assert b"\n".join(lines_of(objects)) == data.rstrip(b"\n")


def test_an_object_that_changes_while_it_is_read_is_told_apart() -> None:
    with reader(OneObject(cuts=[2_000_000], changes_after=1)) as (objects, _), pytest.raises(Changed):
        lines_of(objects)


def test_a_connection_that_brings_nothing_is_given_up() -> None:
    served = OneObject(cuts=[0] * 1_000)
    with reader(served) as (objects, stub), pytest.raises(PassingFault, match=r"out\.jsonl"):
        lines_of(objects)
    assert len(stub.requests) == AT_ONCE.tries


def test_a_break_behind_the_last_byte_is_the_end() -> None:
    with reader(OneObject(data=b"one\ntwo", cuts=[7])) as (objects, _):
        assert lines_of(objects) == [b"one", b"two"]


def test_bytes_that_do_not_match_their_checksum_are_a_fault() -> None:
    def answer(_: Request) -> Reply:
        return Reply(200, b"one\n", {"ETag": '"v1"', "x-amz-checksum-crc32": "AAAAAA=="})

    with serve(answer) as stub:
        client = s3_client(stub.url)
        objects = S3Objects(client, "media", 1, AT_ONCE, AT_ONCE)
        with pytest.raises(PassingFault, match="checksum"):
            lines_of(objects)
        objects.close()
        client.close()


def test_memory_stays_flat_while_a_long_object_is_read() -> None:
    served = OneObject(data=(b"y" * 1_000 + b"\n") * 40_000, cuts=[20_000_000])
    with reader(served) as (objects, _):
        tracemalloc.start()
        try:
            count = sum(1 for _ in objects.lines("out.jsonl"))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 40_000
    assert peak < 8_000_000


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    packed = gzip.compress(bytes(2 * LONGEST_LINE), 1)
    tracemalloc.start()
    try:
        with reader(OneObject(packed)) as (objects, _), pytest.raises(Rejected, match="longer than"):
            list(objects.lines("list.jsonl.gz"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LONGEST_LINE
