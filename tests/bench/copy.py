"""Copying: files a second at 30 ms a request, by the port alone and by whole consumers."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deploy.local.processes import wait_until
from tests.bench import child
from tests.bench.child import Ran
from tests.bench.machine import consumers, settings
from tests.bench.rounds import interleaved
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.stub.s3 import ORIGINALS, SIZE
from tests.bench.table import Scale, Table, Target

FILES = {Scale.TINY: 8, Scale.SHORT: 1500, Scale.FULL: 3000}
BATCH = {Scale.TINY: 8, Scale.SHORT: 3000, Scale.FULL: 6000}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, LIMIT = "naive: boto3, one by one", "limit: bare sockets, 128 in flight"
ONE_32, ONE, TWO = "our port, 32 threads", "our port, 64 threads", "our port, 2 processes of 64"
PLAIN, PLAIN_TWO = "botocore alone, 64 threads", "botocore alone, 2 processes of 64"
THREADS = 64


WHOLE = "whole consumers plan, list, write and store beside copying"


def tables(scale: Scale) -> Iterator[Table]:
    """Measure the port, then whole submit consumers."""
    with stub(scale) as server:
        naive = _Naive()
        yield _port(server, scale, naive)
        if scale is not Scale.TINY:
            yield _machine(server, scale, naive)


class _Naive:
    """The naive rate of this run, for both tables."""

    rate = 0.0


def _port(server: Stub, scale: Scale, naive: _Naive) -> Table:
    files = FILES[scale]
    cpu: dict[str, float] = {}
    rss: dict[str, float] = {}
    requests: dict[str, float] = {}

    def measure(name: str) -> float:
        some = max(2, files // 20) if name == NAIVE else files
        server.reset(s3=MILLISECONDS_30)
        ran = _copy(scale, name, server, some)
        cpu[name] = sum(each.cpu for each in ran) / some * 1e6
        rss[name] = max(each.rss_mb for each in ran)
        requests[name] = sum(server.told()["counts"].values()) / some
        return some / max(each.seconds for each in ran)

    rates = interleaved(ROUNDS[scale], {name: partial(measure, name) for name in WAYS})
    naive.rate = rates[NAIVE]
    return Table(
        f"copy: {files:,} files at 30 ms a request",
        ("way", "copies/s", "× naive", "× limit", "CPU µs/copy", "RSS MB each", "requests/file"),
        [
            (name, rates[name], rates[name] / rates[NAIVE], rates[name] / rates[LIMIT], cpu[name], rss[name],
             requests[name])
            for name in WAYS
        ],
        [
            Target("one process of 64 threads × naive", rates[ONE] / rates[NAIVE], "≥", 35),
            Target("two processes × naive", rates[TWO] / rates[NAIVE], "≥", 60),
        ],
        "The latency alone allows 33 × the number in flight: 1,067 for 32, 2,133 for 64.",
    )  # fmt: skip


def _copy(scale: Scale, name: str, server: Stub, files: int) -> list[Ran]:
    environment = server.environment
    if name == NAIVE:
        return [child.run(scale, "tests.bench.copies:naive", environment, files=files)]
    if name == LIMIT:
        return [child.run(scale, "tests.bench.copies:flood", environment, files=files, url=server.url)]
    work, threads, processes = WAYS[name]
    share = files // processes
    running = [
        child.start(
            scale, f"tests.bench.copies:{work}", environment, files=share, threads=threads, first=n * share
        )
        for n in range(processes)
    ]
    return [join() for join in running]


WAYS = {
    NAIVE: ("naive", 1, 1),
    PLAIN: ("plain", THREADS, 1),
    PLAIN_TWO: ("plain", THREADS, 2),
    ONE_32: ("ours", 32, 1),
    ONE: ("ours", THREADS, 1),
    TWO: ("ours", THREADS, 2),
    LIMIT: ("flood", 128, 1),
}


# ── whole consumers ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Batch:
    """A batch to be staged: by so many consumers, from such a source, with such options."""

    consumers: int
    source: str
    reuse: str

    @property
    def name(self) -> str:
        """Say what is measured."""
        return f"{self.consumers} × run submit, {self.source}, reuse: {self.reuse}"


PREFIX, LISTED, LISTED_NEVER = (
    Batch(1, "a prefix", "same"),
    Batch(1, "files with sizes", "same"),
    Batch(1, "files with sizes", "never"),
)
TWICE = Batch(2, "a prefix", "same")


def _machine(server: Stub, scale: Scale, naive: _Naive) -> Table:
    """Let submit consumers plan and stage a batch, and count what they ask of S3."""
    files = BATCH[scale]
    rows, rates, requests = [], {}, {}
    for batch in (PREFIX, LISTED, LISTED_NEVER, TWICE):
        told, rss = _staged(scale, server, batch)
        rates[batch] = files / told["copying_seconds"] / naive.rate
        requests[batch] = _s3_calls(told["counts"]) / files
        rows.append((batch.name, rates[batch] * naive.rate, rates[batch], requests[batch], rss))
    return Table(
        f"copy: one batch of {files:,} files, planned and staged by whole consumers",
        ("consumers", "copies/s", "× naive", "requests/file", "RSS MB together"),
        rows,
        [
            Target("one consumer × naive", rates[PREFIX], "≥", 35, WHOLE),
            Target("two consumers × naive", rates[TWICE], "≥", 60, WHOLE),
            Target("requests a file of a prefix", requests[PREFIX], "≤", 1.05),
            Target("requests a file with its size, reuse: never", requests[LISTED_NEVER], "≤", 1.05),
            Target("requests a file otherwise", requests[LISTED], "≤", 2.05),
        ],
        f"COPY_CONCURRENCY {THREADS}, SQLite. Requests: all to S3, from the message to the last manifest.",
    )


def _staged(scale: Scale, server: Stub, batch: Batch) -> tuple[dict[str, Any], float]:
    files = BATCH[scale]
    server.reset(s3=MILLISECONDS_30, bedrock=MILLISECONDS_30)
    server.control("fill", prefix=f"{ORIGINALS}clip_", count=files)
    request: dict[str, Any] = {
        "request_id": "bench",
        "model": "nova-2-lite",
        "options": {"reuse": batch.reuse},
    }
    if batch.source == PREFIX.source:
        request["files_from"] = {"prefix": ORIGINALS}
    else:
        request["files"] = [
            {"file_id": n, "s3_key": f"{ORIGINALS}clip_{n:06}.mov", "size_bytes": SIZE} for n in range(files)
        ]
    with tempfile.TemporaryDirectory() as folder:
        environment = settings(server, Path(folder), NOVABATCH_COPY_CONCURRENCY=str(THREADS))
        with consumers(scale, ["submit"] * batch.consumers, environment, Path(folder)) as rss_mb:
            server.control("send", queue="submit-requests", body=json.dumps(request), count=1)
            manifests_and_plan = -(-files // 150) + 1
            assert wait_until(lambda: _put(server) >= manifests_and_plan, 120), server.told()
            return server.told(), rss_mb()


def _put(server: Stub) -> int:
    count: int = server.told()["counts"].get("PutObject", 0)
    return count


def _s3_calls(counts: dict[str, int]) -> int:
    names = ("CopyObject", "HeadObject", "GetObject", "PutObject", "ListObjectsV2", "DeleteObjects")
    return sum(counts.get(name, 0) for name in names)
