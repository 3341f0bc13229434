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
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.stub.s3 import ORIGINALS
from tests.bench.table import Scale, Table, Target

SLOTS = {Scale.TINY: 1, Scale.SHORT: 20, Scale.FULL: 20}
SINGLES = {Scale.TINY: 1, Scale.SHORT: 10, Scale.FULL: 50}
ROLES = ("submit", "job_state")


@dataclass(frozen=True)
class Load:
    """How many chunks wait, and how many files each has."""

    name: str
    waiting: int
    files: int


LOADS = {
    Scale.TINY: [Load("few", 2, 2)],
    Scale.SHORT: [Load("few", 50, 2), Load("many", 1000, 2), Load("large", 40, 100)],
    Scale.FULL: [Load("few", 100, 2), Load("many", 6667, 2), Load("large", 100, 150)],
}


def tables(scale: Scale) -> Iterator[Table]:
    """Measure real processes, then the share of idle slots on a virtual clock."""
    with stub(scale) as server:
        yield _table(server, scale)
    yield idle_table(scale)


def _table(server: Stub, scale: Scale) -> Table:
    rows: list[tuple[str, float, float, float]] = []
    for load in LOADS[scale]:
        with tempfile.TemporaryDirectory() as folder:
            alone, burst = _measured(server, load, scale, Path(folder))
        rows.append(
            (
                f"{load.name}: {load.waiting} chunks of {load.files} wait",
                median(alone),
                max(alone),
                max(burst),
            )
        )
    medians = [row[1] for row in rows]
    return Table(
        "slots: seconds from a job's end in the queue to the next CreateModelInvocationJob",
        ("load", "one ends: median", "longest", f"{SLOTS[scale]} end at once: all refilled"),
        rows,
        [
            Target("median, one job ends", max(medians), "≤", 1.0),
            Target("all slots refilled", max(row[3] for row in rows), "≤", 5.0),
        ],
        "Real processes: one submit, one job_state, SQLite, 30 ms a call of S3 and Bedrock.",
    )


def _measured(server: Stub, load: Load, scale: Scale, folder: Path) -> tuple[list[float], list[float]]:
    slots, singles = SLOTS[scale], SINGLES[scale]
    server.reset(s3=MILLISECONDS_30, bedrock=MILLISECONDS_30)
    server.control("fill", prefix=f"{ORIGINALS}clip_", count=load.files * (load.waiting + slots))
    environment = settings(
        server,
        folder,
        NOVABATCH_MAX_FILES_PER_CHUNK=str(load.files),
        NOVABATCH_MIN_RECORDS=str(min(load.files, 100)),
        NOVABATCH_SLOTS=str(slots),
        NOVABATCH_CLEANUP_AFTER_SUCCESS="false",
    )
    engine = make_engine(environment["NOVABATCH_DATABASE_URL"])
    migrate(engine)
    machine = _Machine(server, SqlStore(engine), slots)
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
        return open_jobs == self.slots and (states.get(ChunkState.READY, 0) >= self.slots or not left)

    def _states(self) -> dict[str, int]:
        with self.store.engine.connect() as connection:
            asked = select(chunks.c.state, func.count()).group_by(chunks.c.state)
            return {row[0]: row[1] for row in connection.execute(asked)}
