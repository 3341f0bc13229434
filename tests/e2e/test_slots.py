"""Three submit processes share ten slots: never an eleventh job, no slot empty for long, fair turns."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.tables import chunks, models
from deploy.local import processes
from tests.databases import Postgres
from tests.e2e import forks
from tests.e2e.machine import QUEUES, Machine, machine

SLOTS = 10
URGENT = 3
# Of a job's events those that neither prove its model nor end it cost time and decide nothing.
UNTOLD = ["Submitted", "Validating", "InProgress"]
SETTINGS = {
    "NOVABATCH_SLOTS": str(SLOTS),
    "NOVABATCH_MIN_RECORDS": "1",
    "NOVABATCH_MAX_FILES_PER_CHUNK": "1",
    "NOVABATCH_VISIBILITY_TIMEOUT": "30",
    "NOVABATCH_CLEANUP_AFTER_SUCCESS": "false",
    "NOVABATCH_RECONCILE_INTERVAL": "3600",  # nobody wakes a chunk but who makes room for it
}
ROLES = ("submit", "submit", "submit", "job_state")


@dataclass(frozen=True)
class Load:
    """Chunks of two batches, how long a job runs, and how many jobs must be open on average."""

    large: int
    small: int
    run_seconds: float
    average: float


# Beside other tests a machine has no time to lose; alone, it shows what the system can do.
BRIEF = Load(40, 10, 3.0, 7.0)
FULL = Load(80, 20, 5.5, 9.5)


@dataclass(frozen=True)
class Job:
    """When Bedrock had a job open, by Bedrock's clock."""

    batch: str
    began: datetime
    ended: datetime


def jobs_of(running: Machine) -> list[Job]:
    """Return all jobs in the order in which they were created."""
    told = [
        Job(job["name"].split("-")[1], time_of(job["submitted_at"]), time_of(job["ended_at"]))
        for job in running.local.server.control.jobs()
    ]
    return sorted(told, key=lambda job: job.began)


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def open_at(jobs: Sequence[Job], when: datetime) -> int:
    """Count the jobs open at a moment."""
    return sum(job.began <= when < job.ended for job in jobs)


def average(jobs: Sequence[Job], start: datetime, end: datetime) -> float:
    """Return how many jobs were open on average in a span of time."""
    shares = ((min(job.ended, end) - max(job.began, start)).total_seconds() for job in jobs)
    return sum(max(0.0, share) for share in shares) / (end - start).total_seconds()


@contextmanager
def crowd(folder: Path, url: str, run_seconds: float) -> Iterator[Machine]:
    """Run a machine with three submit processes over one PostgreSQL."""
    with machine(folder, start=(), step_seconds=0.05, NOVABATCH_DATABASE_URL=url, **SETTINGS) as running:
        control = running.local.server.control
        control.add_faults(events={"drop_statuses": UNTOLD})
        control.set(run_seconds=run_seconds, run_spread=0.3, jobs_per_model=SLOTS)
        environment = running.local.consumer_environment() | {"NOVABATCH_HTTP_PORT": "0"}
        started = [forks.start(role, environment, folder / f"{n}-{role}.log") for n, role in enumerate(ROLES)]
        try:
            yield running
        finally:
            for process in started:
                forks.kill(process)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("load", [BRIEF, pytest.param(FULL, marks=pytest.mark.endurance)])
def test_three_processes_keep_ten_slots_full_and_take_turns(
    tmp_path: Path, postgres: Postgres, load: Load
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, load.run_seconds) as running:
        control = running.local.server.control
        posted = datetime.now().astimezone()
        large = running.post("large", running.originals("large", load.large))
        small = running.post("small", running.originals("small", load.small))
        halfway = (load.large + load.small) // 2
        assert processes.wait_until(lambda: len(control.jobs()) >= halfway, 120)
        urgent = running.post("urgent", running.originals("urgent", URGENT), priority=10)
        batches = [large, small, urgent]
        running.wait_for_end(batches, 120)
        jobs = jobs_of(running)

        assert len(jobs) == load.large + load.small + URGENT
        assert set(control.calls()["bedrock"]["CreateModelInvocationJob"]) == {"total", "200"}
        check_slots(jobs, posted, load.average)
        check_turns([job.batch for job in jobs], large, small)
        check_priority(jobs, urgent, ready_at(running, urgent))
        assert {batch.state for each in batches if (batch := running.batch(each))} == {BatchState.COMPLETED}
        assert not any(running.dead_letters(queue) for queue in QUEUES.values())


@pytest.mark.timeout(120)
def test_a_missing_permission_costs_three_jobs_however_many_processes_there_are(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=0.0) as running:
        control = running.local.server.control
        why = "The provided role has no access to the S3 bucket"
        control.add_faults(jobs=[{"outcome": "Failed", "state": "Validating", "message": why}])
        batch_id = running.post("denied", running.originals("denied", 15))
        assert processes.wait_until(lambda: why in pause_reason(running), 60)
        assert processes.wait_until(lambda: is_quiet(running), 20)
        assert len(control.jobs()) == 3
        states = Counter(state for _, state in running.store.chunk_ids(batch_id))
        assert states[ChunkState.FAILED] == 3
        assert states[ChunkState.PLANNED] + states[ChunkState.READY] == 12


def pause_reason(running: Machine) -> str:
    """Return why the model rests; empty while it does not."""
    with running.engine.connect() as connection:
        return connection.execute(select(func.max(models.c.paused_reason))).scalar_one() or ""


def is_quiet(running: Machine) -> bool:
    """Tell whether no message is left."""
    return not any(running.waiting(queue) + running.in_flight(queue) for queue in QUEUES.values())


def check_slots(jobs: Sequence[Job], posted: datetime, least: float) -> None:
    """Never eleven open, ten soon, nearly ten all the time while chunks wait."""
    counts = {job.began: open_at(jobs, job.began) for job in jobs}
    assert max(counts.values()) == SLOTS
    full = min(when for when, count in counts.items() if count == SLOTS)
    mean = average(jobs, full, jobs[-1].began)
    print(f"\nall slots in use after {(full - posted).total_seconds():.1f} s, then {mean:.2f} on average")
    assert (full - posted).total_seconds() < 30
    assert mean >= least


def check_turns(order: Sequence[str], large: str, small: str) -> None:
    """Batches of unequal size go on side by side."""
    turns = [n for n, batch in enumerate(order) if batch == small[1:7]]
    between = order[turns[0] : turns[-1]].count(large[1:7])
    print(f"{between} jobs of the large batch among the {len(turns)} of the small one")
    assert len(turns) / 2 <= between <= len(turns) * 2


def check_priority(jobs: Sequence[Job], urgent: str, ready: datetime) -> None:
    """A batch of higher priority gets the next slot that is free once it is staged.

    ``ready`` is when its staging began; meanwhile, and by a message sent before, another job may be created.
    """
    first = next(n for n, job in enumerate(jobs) if job.batch == urgent[1:7])
    before = sum(job.began > ready for job in jobs[:first])
    print(f"{before} other jobs between the staging of the urgent batch and its first job")
    assert before <= 2


def ready_at(running: Machine, batch_id: str) -> datetime:
    """Return when the first chunk of a batch was staged."""
    asked = select(func.min(chunks.c.ready_at)).where(chunks.c.batch_id == batch_id)
    with running.engine.connect() as connection:
        found: datetime = connection.execute(asked).scalar_one()
        return found
