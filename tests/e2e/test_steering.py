"""What people ask of submissions reaches all processes: what is urgent, a pause, its end.

Jobs are kept open while a test prepares what shall follow, so that no machine is too slow for it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest

from consumers.core.lifecycle import ChunkState
from deploy.local import processes, stack
from schemas.messages import SubmitChunk
from tests.databases import Postgres
from tests.e2e.crowd import SLOTS, crowd, jobs_of, keep_open, let_go, steer, wait
from tests.e2e.machine import QUEUES, Machine

BACKLOG, URGENT = 30, 10
SOON = timedelta(seconds=5)


@pytest.mark.endurance
@pytest.mark.timeout(240)
def test_urgent_work_gets_the_first_slots_that_are_free_once_it_is_staged(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=2.0) as running:
        fill(running)
        urgent = running.post("urgent", running.originals("urgent", URGENT), priority=10)
        wait(lambda: ready(running, urgent) == URGENT)
        wait(lambda: running.is_drained(stack.SUBMIT_QUEUE))
        let_go(running)
        wait(lambda: len(running.jobs(urgent)) == URGENT)
        places = [place for place, job in enumerate(jobs_of(running)) if job.batch == urgent[1:7]]
        others = places[-1] + 1 - SLOTS - URGENT
        print(f"\n{others} other jobs before the last of {URGENT} urgent ones, after {SLOTS} that were open")
        assert places[0] >= SLOTS
        # Those whose message was under way; in fair turns they would be as many as the urgent ones, and more.
        assert others <= URGENT // 2


@pytest.mark.timeout(240)
def test_a_pause_holds_in_all_processes_within_five_seconds_and_so_does_a_resume(
    tmp_path: Path, postgres: Postgres
) -> None:
    with postgres.database() as url, crowd(tmp_path, url, run_seconds=2.0) as running:
        backlog = fill(running)
        let_go(running)
        wait(lambda: min(created_by_each(tmp_path)) > 0)
        steer(running, "pause")
        latest = datetime.now(UTC) + SOON
        wait(lambda: datetime.now(UTC) > latest and all(job.ended for job in jobs_of(running)))
        wait(lambda: running.is_drained(*QUEUES.values()))
        nudge(running, backlog)
        wait(lambda: running.is_drained(stack.SUBMIT_QUEUE))
        jobs = jobs_of(running)
        assert jobs[-1].began < latest
        assert ready(running, *backlog)

        steer(running, "resume")
        assert processes.wait_until(lambda: len(jobs_of(running)) > len(jobs), SOON.total_seconds())


def fill(running: Machine) -> list[str]:
    """Take all slots with jobs that are kept open, and stage as many chunks; returns the batches' ids."""
    keep_open(running)
    backlog = [running.post(label, running.originals(label, BACKLOG)) for label in ("early", "late")]
    wait(lambda: len(jobs_of(running)) == ready(running, *backlog) == SLOTS)
    return backlog


def ready(running: Machine, *batch_ids: str) -> int:
    """Count the chunks of batches that are READY."""
    states = [state for batch_id in batch_ids for _, state in running.store.chunk_ids(batch_id)]
    return states.count(ChunkState.READY)


def created_by_each(folder: Path) -> list[int]:
    """Count the jobs that each submit process has created, by what it logged."""
    logs = [path.read_text() for path in folder.glob("*-submit.log")]
    return [log.count('"state":"SUBMITTED"') for log in logs]


def nudge(running: Machine, batch_ids: Iterable[str]) -> None:
    """Send for every chunk of batches."""
    url = running.sqs.get_queue_url(QueueName=stack.SUBMIT_QUEUE)["QueueUrl"]
    for chunk_id, _ in chain.from_iterable(map(running.store.chunk_ids, batch_ids)):
        body = SubmitChunk(chunk_id=chunk_id).model_dump_json()
        running.sqs.send_message(QueueUrl=url, MessageBody=body)
