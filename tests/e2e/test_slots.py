"""Three submit processes, or six, share ten slots: never an eleventh job, no slot empty for long, turns."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.tables import models
from deploy.local import processes
from tests.databases import Postgres
from tests.e2e.crowd import SLOTS, Job, crowd, jobs_of, keep_open, let_go, open_at, steer, wait
from tests.e2e.machine import QUEUES, Machine


@pytest.mark.timeout(240)
def test_three_processes_fill_ten_slots_again_whenever_jobs_end_and_take_turns(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=0.0) as running:
        keep_open(running)
        steer(running, "pause")
        large, small = post(running, 20, 10)
        wait(lambda: is_planned(running, large) and is_planned(running, small))
        steer(running, "resume")
        for created in range(SLOTS, 31, SLOTS):
            wait(lambda count=created: len(jobs_of(running)) >= count)  # type: ignore[misc]
            let_go(running)
            keep_open(running)
        let_go(running)
        check(running, large, small)


@pytest.mark.endurance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("submits", [3, 6])
def test_a_machine_of_its_own_keeps_nearly_ten_jobs_open_all_the_time(
    tmp_path: Path, postgres: Postgres, submits: int
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=5.5, submits=submits) as running:
        posted = datetime.now().astimezone()
        large, small = post(running, 80, 20)
        jobs = check(running, large, small)
        full = next(job.began for job in jobs if open_at(jobs, job.began) == SLOTS)
        mean = average(jobs, full, jobs[-1].began)
        print(f"\nall slots in use after {(full - posted).total_seconds():.1f} s, then {mean:.2f} on average")
        assert (full - posted).total_seconds() < 30
        assert mean >= 9.5


def post(running: Machine, large: int, small: int) -> tuple[str, str]:
    """Post two batches of so many chunks; returns their ids."""
    ids = [
        running.post(name, running.originals(name, count))
        for name, count in (("large", large), ("small", small))
    ]
    return ids[0], ids[1]


def is_planned(running: Machine, batch_id: str) -> bool:
    """Tell whether a batch has all its chunks."""
    batch = running.batch(batch_id)
    return batch is not None and batch.state is BatchState.PLANNED


def check(running: Machine, large: str, small: str) -> list[Job]:
    """Wait for two batches and look at what must hold on any machine; returns the jobs."""
    running.wait_for_end([large, small], 150)
    jobs = jobs_of(running)
    assert {batch.state for each in (large, small) if (batch := running.batch(each))} == {
        BatchState.COMPLETED
    }
    files = len(running.posted[large]) + len(running.posted[small])
    assert (len(jobs), running.local.server.control.calls()["s3"]["CopyObject"]["total"]) == (files, files)
    assert max(open_at(jobs, job.began) for job in jobs) == SLOTS
    calls = running.local.server.control.calls()["bedrock"]["CreateModelInvocationJob"]
    assert set(calls) == {"total", "200"}
    check_turns([job.batch for job in jobs], large, small)
    assert not any(running.dead_letters(queue) for queue in QUEUES.values())
    return jobs


def check_turns(order: Sequence[str], large: str, small: str) -> None:
    """Batches of unequal size go on side by side."""
    turns = [n for n, batch in enumerate(order) if batch == small[1:7]]
    between = order[turns[0] : turns[-1]].count(large[1:7])
    print(f"{between} jobs of the large batch among the {len(turns)} of the small one")
    assert len(turns) / 2 <= between <= len(turns) * 2


def average(jobs: Sequence[Job], start: datetime, end: datetime) -> float:
    """Return how many jobs were open on average in a span of time."""
    shares = ((min(job.ended or end, end) - max(job.began, start)).total_seconds() for job in jobs)
    return sum(max(0.0, share) for share in shares) / (end - start).total_seconds()


@pytest.mark.timeout(240)
def test_a_missing_permission_costs_three_jobs_however_many_processes_there_are(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=0.0) as running:
        control = running.local.server.control
        why = "The provided role has no access to the S3 bucket"
        control.add_faults(jobs=[{"outcome": "Failed", "state": "Validating", "message": why}])
        batch_id = running.post("denied", running.originals("denied", 15))
        assert processes.wait_until(lambda: why in pause_reason(running), 60)
        assert processes.wait_until(lambda: running.is_drained(*QUEUES.values()), 60)
        assert len(control.jobs()) == 3
        states = Counter(state for _, state in running.store.chunk_ids(batch_id))
        assert states[ChunkState.FAILED] == 3
        assert states[ChunkState.PLANNED] + states[ChunkState.READY] == 12


def pause_reason(running: Machine) -> str:
    """Return why the model rests; empty while it does not."""
    with running.engine.connect() as connection:
        return connection.execute(select(func.max(models.c.paused_reason))).scalar_one() or ""
