"""Copying where S3 takes only so many copies a second and answers SlowDown to the others."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import child
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.table import Cell, Scale, Table, Target

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
    naive, ours = _copied(server, scale, "eager"), _copied(server, scale, "ours")
    return Table(
        f"slowdown: {FILES[scale]:,} files where S3 takes {RATE[scale]} copies a second",
        ("way", "copied", "lost", "answered SlowDown", "rate used"),
        [
            ("naive: boto3 as it comes, as many threads", *naive.cells),
            ("our port", *ours.cells),
            ("limit: what S3 takes", float(FILES[scale]), "0", None, 1.0),
        ],
        [
            Target("files lost", ours.lost, "≤", 0),
            Target("share of the rate that was used", ours.used, "≥", 0.8),
        ],
        f"{PROCESSES[scale]} processes of {THREADS} threads. The first and the last second are left out of "
        "the share.",
    )


@dataclass(frozen=True)
class Copied:
    """What came of one way to copy under the rate."""

    copies: float
    lost: int
    refused: int
    used: float

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Return the row, counts to the last digit."""
        return self.copies, str(self.lost), str(self.refused), self.used


def _copied(server: Stub, scale: Scale, way: str) -> Copied:
    server.reset(s3=MILLISECONDS_30, rate=RATE[scale])
    share = FILES[scale] // PROCESSES[scale]
    work, environment = f"tests.bench.copies:{way}", server.environment
    running = [
        child.start(scale, work, environment, files=share, threads=THREADS, first=n * share)
        for n in range(PROCESSES[scale])
    ]
    lost = sum(join().value for join in running)
    told = server.told()
    counts = told["counts"]
    used = _used(told["copies_a_second"], RATE[scale])
    return Copied(counts["CopyObject"], lost, counts.get("SlowDown", 0), used)


def _used(copies: list[int], rate: int) -> float:
    whole = copies[1:-1] or copies
    return sum(whole) / len(whole) / rate
