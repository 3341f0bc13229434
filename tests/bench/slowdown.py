"""Copying where S3 takes only so many copies a second and answers SlowDown to the others."""

from collections.abc import Iterator

from tests.bench import child
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.table import Scale, Table, Target

# Below what two processes could do on a small machine: S3 documents 3,500 a second for a prefix.
RATE = {Scale.TINY: 20, Scale.SHORT: 400, Scale.FULL: 400}
FILES = {Scale.TINY: 10, Scale.SHORT: 4000, Scale.FULL: 12_000}
PROCESSES = {Scale.TINY: 1, Scale.SHORT: 2, Scale.FULL: 2}
THREADS = 64


def tables(scale: Scale) -> Iterator[Table]:
    """Copy under a rate, by the port of one or two processes."""
    with stub(scale) as server:
        yield _table(server, scale)


def _table(server: Stub, scale: Scale) -> Table:
    server.reset(s3=MILLISECONDS_30, rate=RATE[scale])
    share = FILES[scale] // PROCESSES[scale]
    running = [
        child.start(
            scale,
            "tests.bench.copies:ours",
            server.environment,
            files=share,
            threads=THREADS,
            first=n * share,
        )
        for n in range(PROCESSES[scale])
    ]
    lost = sum(join().value for join in running)
    told = server.told()
    used = _used(told["copies_a_second"], RATE[scale])
    refused = told["counts"].get("SlowDown", 0)
    return Table(
        f"slowdown: {FILES[scale]:,} files where S3 takes {RATE[scale]} copies a second",
        ("processes", "copied", "lost", "answered SlowDown", "rate used"),
        [(str(PROCESSES[scale]), told["counts"]["CopyObject"], str(lost), str(refused), used)],
        [Target("files lost", lost, "≤", 0), Target("share of the rate that was used", used, "≥", 0.8)],
        f"{THREADS} threads a process. The first and the last second are left out of the share.",
    )


def _used(copies: list[int], rate: int) -> float:
    whole = copies[1:-1] or copies
    return sum(whole) / len(whole) / rate
