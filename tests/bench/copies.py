"""Five ways to copy files from bucket to bucket, each to be run in a process of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlparse

from botocore.config import Config

from consumers.core.faults import Fault
from consumers.core.objects import Copy
from daemon.adapters.aws import make_client
from daemon.adapters.s3 import S3Objects
from daemon.adapters.s3.copying import copy
from daemon.adapters.s3.lanes import Lanes
from tests.bench.stub.s3 import BUCKET, ETAG, ORIGINALS

FOLDER = "nova_batch/job_20260105_100000_000000_000/files/"
IN_FLIGHT = 128


@contextmanager
def naive(files: int) -> Iterator[Callable[[], None]]:
    """One after another, with boto3 as it comes."""
    import boto3

    client = boto3.client("s3")

    def work() -> None:
        for number in range(files):
            source = f"{ORIGINALS}Video, {number}.mov"
            place = {"Bucket": BUCKET, "Key": source}
            client.copy_object(Bucket=BUCKET, Key=f"{FOLDER}{number}.mov", CopySource=place)  # type: ignore[arg-type]

    yield work
    client.close()


@contextmanager
def plain(files: int, threads: int, first: int = 0) -> Iterator[Callable[[], None]]:
    """Copy with the same calls, the same client and as many threads as the port, sent by botocore itself."""
    client = make_client("s3", connections=threads)
    lanes = Lanes(threads)

    def work() -> None:
        for _ in lanes.as_done(lambda each, _: copy(client, BUCKET, each), _copies(files, first)):
            pass

    yield work
    lanes.close()
    client.close()


@contextmanager
def ours(files: int, threads: int, first: int = 0) -> Iterator[Callable[[], int]]:
    """Copy through the port as staging does; returns how many faults came back."""
    client = make_client("s3", connections=threads)
    objects = S3Objects(client, BUCKET, threads)

    def work() -> int:
        return sum(fault is not None for _, fault in objects.copies(_copies(files, first)))

    yield work
    objects.close()
    client.close()


@contextmanager
def eager(files: int, threads: int, first: int = 0) -> Iterator[Callable[[], int]]:
    """Copy in as many threads with boto3 as it comes, its own few tries included; returns how many failed."""
    import boto3

    client = boto3.client("s3", config=Config(max_pool_connections=threads))
    lanes = Lanes(threads)

    def attempt(each: Copy, _: threading.Event) -> bool:
        try:
            copy(client, BUCKET, each)
        except Fault:
            return False
        return True

    yield lambda: sum(not there for there in lanes.as_done(attempt, _copies(files, first)))
    lanes.close()
    client.close()


def _copies(files: int, first: int) -> Sequence[Copy]:
    return [
        Copy(n, BUCKET, f"{ORIGINALS}Video, {n}.mov", ETAG, f"{FOLDER}{n}.mov", "video/quicktime")
        for n in range(first, first + files)
    ]


def flood(files: int, url: str) -> Callable[[], None]:
    """Write ready-made requests to bare sockets, so many at once: what the latency and the stub allow."""
    return lambda: asyncio.run(_flood(files, urlparse(url).hostname or "", urlparse(url).port or 0))


async def _flood(files: int, host: str, port: int) -> None:
    left = iter(range(files))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for number in left:
            writer.write(
                f"PUT /{BUCKET}/{FOLDER}{number}.mov HTTP/1.1\r\nHost: {host}\r\n"
                f"x-amz-copy-source: {BUCKET}/{ORIGINALS}{number}.mov\r\nContent-Length: 0\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(IN_FLIGHT)))
