"""Free slots: how long one stays empty while chunks wait."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import func, select

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore, make_engine, migrate
from daemon.adapters.tables import chunks
from deploy.local.processes import wait_until
from tests.bench.idle import idle_table
from tests.bench.machine import consumers, settings
from tests.bench.refill import refills
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.stub.s3 import ORIGINALS
from tests.bench.table import Cell, Scale, Table, Target

SLOTS = {Scale.TINY: 1, Scale.SHORT: 20, Scale.FULL: 20}
SINGLES = {Scale.TINY: 1, Scale.SHORT: 10, Scale.FULL: 50}
ROLES = ("submit", "job_state")


@dataclass(frozen=True)
class Load:
    """How many chunks wait, how many files each has, and how many are staged ahead at most."""

    name: str
    waiting: int
    files: int
    ahead: int = 20


LOADS = {
    Scale.TINY: [Load("few", 2, 2)],
    Scale.SHORT: [Load("few", 50, 2), Load("many", 1000, 2), Load("large", 40, 100)],
    Scale.FULL: [Load("few", 100, 2), Load("many", 6667, 2), Load("large", 100, 150)],
}
NAIVE = {
    Scale.TINY: Load("naive, none staged ahead", 2, 2, ahead=0),
    Scale.SHORT: Load("naive, none staged ahead", 40, 100, ahead=0),
    Scale.FULL: Load("naive, none staged ahead", 100, 150, ahead=0),
}


def tables(scale: Scale) -> Iterator[Table]:
    """Measure real processes, then the share of idle slots on a virtual clock."""
    with stub(scale) as server:
        yield _table(server, scale)
    yield idle_table(scale)


def _table(server: Stub, scale: Scale) -> Table:
    naive = _refilled(server, NAIVE[scale], scale)
    ours = {load: _refilled(server, load, scale) for load in LOADS[scale]}
    limit = median(refills(server, SINGLES[scale]))
    slowest = max(found.median for found in ours.values())

    def row(load: Load, found: Refilled) -> tuple[Cell, ...]:
        name = f"{load.name}: {load.waiting} chunks of {load.files} wait"
        alone = found.median
        return name, alone, naive.median / alone, alone / limit, found.longest, found.burst

    return Table(
        "slots: seconds from a job's end in the queue to the next CreateModelInvocationJob",
        (
            "load",
            "one ends: median",
            "× naive",
            "× limit",
            "longest",
            f"{SLOTS[scale]} end at once: refilled",
        ),
        [
            row(NAIVE[scale], naive),
            *(row(load, found) for load, found in ours.items()),
            ("limit: the bare calls, one after the other", limit, naive.median / limit, 1.0, None, None),
        ],
        [
            Target("median, one job ends", slowest, "≤", 1.0),
            Target("all slots refilled", max(found.burst for found in ours.values()), "≤", 5.0),
        ],
        "Real processes: one submit, one job_state, SQLite, 30 ms a call of S3 and Bedrock. × naive: times "
        "as fast; × limit: times as long.",
    )


@dataclass(frozen=True)
class Refilled:
    """Seconds until a slot had its next job: one alone, the longest of them, all at once."""

    median: float
    longest: float
    burst: float


def _refilled(server: Stub, load: Load, scale: Scale) -> Refilled:
    with tempfile.TemporaryDirectory() as folder:
        alone, burst = _measured(server, load, scale, Path(folder))
    return Refilled(median(alone), max(alone), max(burst))


def _measured(server: Stub, load: Load, scale: Scale, folder: Path) -> tuple[list[float], list[float]]:
    slots, singles = SLOTS[scale], SINGLES[scale]
    ahead = min(load.ahead, slots)
    server.reset(s3=MILLISECONDS_30, bedrock=MILLISECONDS_30)
    server.control("fill", prefix=f"{ORIGINALS}clip_", count=load.files * (load.waiting + slots))
    environment = settings(
        server,
        folder,
        NOVABATCH_MAX_FILES_PER_CHUNK=str(load.files),
        NOVABATCH_MIN_RECORDS=str(min(load.files, 100)),
        NOVABATCH_SLOTS=str(slots),
        NOVABATCH_STAGE_AHEAD=str(ahead),
        NOVABATCH_CLEANUP_AFTER_SUCCESS="false",
    )
    engine = make_engine(environment["NOVABATCH_DATABASE_URL"])
    migrate(engine)
    machine = _Machine(server, SqlStore(engine), slots, ahead)
    with consumers(scale, ROLES, environment, folder):
        machine.fill()
        alone = [machine.refill(1) for _ in range(singles)]
        burst = machine.refill_all()
    engine.dispose()
    return alone, burst


@dataclass
class _Machine:
    server: Stub
    store: SqlStore
    slots: int
    ahead: int

    def fill(self) -> None:
        """Post a batch and wait until all slots are taken and the next chunks are staged."""
        request = {"request_id": "bench", "model": "nova-2-lite", "files_from": {"prefix": ORIGINALS}}
        request["options"] = {"reuse": "never"}
        self.server.control("send", queue="submit-requests", body=json.dumps(request), count=1)
        self._wait_until_full()

    def refill(self, number: int) -> float:
        """End jobs and return how long it takes until as many others are created."""
        return max(self._refilled(number))

    def refill_all(self) -> list[float]:
        return self._refilled(self.slots)

    def _refilled(self, number: int) -> list[float]:
        before = len(self._jobs())
        self.server.control("end", number=number, queue="job-state-changes")
        assert wait_until(lambda: len(self._jobs()) >= before + number, 60), self.server.told()
        jobs = self._jobs()
        ends = sorted(job["ended"] for job in jobs if job["ended"])[-number:]
        created = sorted(job["created"] for job in jobs)[-number:]
        self._wait_until_full()
        return [after - end for end, after in zip(ends, created, strict=True)]

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self.server.told()["jobs"]
        return jobs

    def _wait_until_full(self) -> None:
        """Wait until no slot is free and as many chunks as may be are staged, or none is left."""
        assert wait_until(self._is_full, 120), (self.server.told(), self._states())

    def _is_full(self) -> bool:
        states = self._states()
        open_jobs = states.get(ChunkState.SUBMITTED, 0) + states.get(ChunkState.IN_PROGRESS, 0)
        left = states.get(ChunkState.PLANNED, 0) + states.get(ChunkState.PREPARING, 0)
        return open_jobs == self.slots and (states.get(ChunkState.READY, 0) >= self.ahead or not left)

    def _states(self) -> dict[str, int]:
        with self.store.engine.connect() as connection:
            asked = select(chunks.c.state, func.count()).group_by(chunks.c.state)
            return {row[0]: row[1] for row in connection.execute(asked)}
