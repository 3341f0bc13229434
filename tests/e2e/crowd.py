"""Several submit processes over one PostgreSQL, all after the same ten slots."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.local import processes
from tests.e2e import forks
from tests.e2e.machine import Machine, machine

SLOTS = 10
# Of a job's events those that neither prove its model nor end it cost time and decide nothing.
UNTOLD = {"drop_statuses": ["Submitted", "Validating", "InProgress"]}
SETTINGS = {
    "NOVABATCH_SLOTS": str(SLOTS),
    "NOVABATCH_MIN_RECORDS": "1",
    "NOVABATCH_MAX_FILES_PER_CHUNK": "1",
    "NOVABATCH_VISIBILITY_TIMEOUT": "30",
    "NOVABATCH_CLEANUP_AFTER_SUCCESS": "false",
    "NOVABATCH_RECONCILE_INTERVAL": "3600",  # nobody wakes a chunk but who makes room for it
}


@dataclass(frozen=True)
class Job:
    """When Bedrock had a job open, by Bedrock's clock; ``ended`` is None while it has."""

    batch: str
    began: datetime
    ended: datetime | None


def jobs_of(running: Machine) -> list[Job]:
    """Return all jobs in the order in which they were created."""
    told = [
        Job(job["name"].split("-")[1], datetime.fromisoformat(job["submitted_at"]), _moment(job["ended_at"]))
        for job in running.local.server.control.jobs()
    ]
    return sorted(told, key=lambda job: job.began)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def open_at(jobs: Sequence[Job], when: datetime) -> int:
    """Count the jobs open at a moment."""
    return sum(job.began <= when and (job.ended is None or when < job.ended) for job in jobs)


def keep_open(running: Machine) -> None:
    """Keep the jobs open that will be created from now on."""
    running.local.server.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])


def let_go(running: Machine) -> None:
    """Let the jobs end that were kept open."""
    running.local.server.control.clear_faults()
    running.local.server.control.add_faults(events=UNTOLD)


def steer(running: Machine, verb: str) -> None:
    """Run ``novabatch pause submit`` or its counterpart."""
    local = running.local
    child = forks.launch(verb, [verb, "submit"], local.consumer_environment(), local.directory / "logs")
    assert child.process.wait(60) == 0, child.tail()


def wait(condition: Callable[[], bool]) -> None:
    """Wait for what comes sooner or later."""
    assert processes.wait_until(condition, 60)


@contextmanager
def crowd(folder: Path, url: str, run_seconds: float, submits: int = 3) -> Iterator[Machine]:
    """Run a machine with several submit processes over one PostgreSQL."""
    with machine(folder, start=(), step_seconds=0.05, NOVABATCH_DATABASE_URL=url, **SETTINGS) as running:
        control = running.local.server.control
        control.add_faults(events=UNTOLD)
        control.set(run_seconds=run_seconds, run_spread=0.3, jobs_per_model=SLOTS)
        environment = running.local.consumer_environment() | {"NOVABATCH_HTTP_PORT": "0"}
        roles = [*["submit"] * submits, "job_state"]
        started = [forks.start(role, environment, folder / f"{n}-{role}.log") for n, role in enumerate(roles)]
        try:
            yield running
        finally:
            for process in started:
                forks.kill(process)
