"""Events in any order, five times, foreign, with odd times, and a Get that lags: the rows of a quiet day."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from consumers.core.lifecycle import JobStatus
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import batches, chunks, jobs, records
from schemas.job_events import JobStateChange
from schemas.parsing import parse
from schemas.queues import Queue
from tests.contracts.planting import prove
from tests.depth import examples
from tests.stages.bedrock_answers import error
from tests.stages.conftest import emptied
from tests.stages.simulation import Simulation

WAY = (
    JobStatus.SUBMITTED,
    JobStatus.VALIDATING,
    JobStatus.SCHEDULED,
    JobStatus.IN_PROGRESS,
    JobStatus.COMPLETED,
)
TIMES: list[Any] = [
    "Wed Aug 28 22:58:30 UTC 2024",
    "2026-01-05T10:00:00Z",
    "",
    "yesterday",
    None,
    7,
    {"at": []},
]
FOREIGN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/aaaaaaaaaaaa"
ELSEWHERE = "arn:aws:bedrock:eu-west-1:999999999999:model-invocation-job/job000000000"
TIMES_EACH = 5
JOBS = 2


def bought(store: SqlStore) -> Simulation:
    """Two jobs on their way, with a record among theirs that will fail for good."""
    prove(store)
    sim = Simulation(store, min_records=1)
    sim.small_chunks(1)
    sim.answers.plan("file-2:combined", error(400, "no"))
    sim.submit(sim.media(JOBS))
    assert len(sim.jobs.reports) == JOBS
    return sim


def go_on(sim: Simulation, job: int) -> None:
    """Let Bedrock bring a job one step further; a job that ends writes its output first."""
    arn = list(sim.jobs.reports)[job]
    status = sim.jobs.reports[arn].status
    if status is WAY[-1]:
        return
    following = WAY[WAY.index(status) + 1]
    if following is not WAY[-1]:
        sim.jobs.move(arn, following)
        return
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    sim.jobs.finish(arn)


def tell(sim: Simulation, arn: str, name: str, status: str, time: Any) -> None:
    """Deliver an event as EventBridge writes it, whatever stands in its times."""
    body = json.loads(JobStateChange.hint(arn, name, status).model_dump_json(by_alias=True))
    body |= {"source": "aws.bedrock", "time": time}
    body["detail"] |= {"creationTime": time, "failureMessage": None}
    sim.post(parse(Queue.STATE, json.dumps(body)))
    sim.run()


def settle(sim: Simulation) -> None:
    """Bring every job to its end, and deliver again what was put off, at the same hour."""
    for job in range(JOBS):
        for _ in WAY:
            go_on(sim, job)
    while sim.later:
        sim.queue.extend(message for _, message in sim.later)
        sim.later.clear()
        sim.run()


def rows(store: SqlStore) -> list[tuple[Any, ...]]:
    """Return every batch, chunk, job and record, whole but for the leases."""
    return [row for table in (batches, chunks, jobs, records) for row in _rows(store, table)]


def _rows(store: SqlStore, table: Any) -> Iterator[tuple[Any, ...]]:
    told = [column for column in table.c if not column.name.startswith("lease_")]
    with store.database.read() as connection:
        for row in connection.execute(select(*told).order_by(*table.primary_key)):
            yield tuple(row)


events = st.tuples(st.integers(0, JOBS - 1), st.sampled_from(WAY), st.sampled_from(TIMES))
steps = st.one_of(st.integers(0, JOBS - 1), events, st.sampled_from([FOREIGN, ELSEWHERE]))


def play(sim: Simulation, drawn: list[Any]) -> None:
    for step in drawn:
        if isinstance(step, int):
            go_on(sim, step)
        elif isinstance(step, str):
            tell(sim, step, "somebody-elses", JobStatus.COMPLETED, TIMES[0])
        else:
            job, status, time = step
            arn = list(sim.jobs.reports)[job]
            with lagging(sim, arn, status):
                tell(sim, arn, sim.jobs.reports[arn].name, status, time)


@contextmanager
def lagging(sim: Simulation, arn: str, status: JobStatus) -> Iterator[None]:
    """Let Get still answer with a status that the job has left behind."""
    true = sim.jobs.reports[arn]
    if WAY.index(status) < WAY.index(true.status):
        sim.jobs.reports[arn] = replace(true, status=status, ended_at=None)
    yield
    sim.jobs.reports[arn] = true


def in_peace(store: SqlStore) -> list[tuple[Any, ...]]:
    """Return the rows of a day on which each event comes once, in order, when it is true."""
    sim = bought(store)
    for job in range(JOBS):
        for status in WAY:
            arn = list(sim.jobs.reports)[job]
            tell(sim, arn, sim.jobs.reports[arn].name, status, TIMES[0])
            go_on(sim, job)
    settle(sim)
    return rows(store)


def every_event(data: st.DataObject) -> list[Any]:
    """Return all events of all jobs, five times each, shuffled among Bedrock's steps and events of others."""
    told = [
        (job, status, TIMES[n % len(TIMES)])
        for job in range(JOBS)
        for n, status in enumerate(WAY * TIMES_EACH)
    ]
    moved = [job for job in range(JOBS) for _ in WAY]
    drawn: list[Any] = data.draw(st.permutations([*told, *moved, FOREIGN, ELSEWHERE]))
    return drawn


@pytest.fixture
def quiet(kept_sqlite: Engine) -> list[tuple[Any, ...]]:
    """The rows of a quiet day."""
    return in_peace(emptied(kept_sqlite))


@settings(max_examples=examples(4, 8), deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_doubled_shuffled_and_foreign_events_end_in_the_rows_of_a_quiet_day(
    kept_sqlite: Engine, quiet: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    sim = bought(emptied(kept_sqlite))
    play(sim, every_event(data))
    settle(sim)
    assert rows(sim.store) == quiet
    assert not sim.dead


@settings(max_examples=examples(6, 12), deadline=None, suppress_health_check=[*HealthCheck])
@given(drawn=st.lists(steps, max_size=25))
def test_any_events_between_any_steps_of_the_jobs_end_in_the_same_rows(
    kept_sqlite: Engine, quiet: list[tuple[Any, ...]], drawn: list[Any]
) -> None:
    sim = bought(emptied(kept_sqlite))
    play(sim, drawn)
    settle(sim)
    sim.reconcile(2)
    assert rows(sim.store) == quiet


@pytest.mark.parametrize("turned", [False, True])
def test_events_backwards_end_in_the_same_rows_on_either_database(store: SqlStore, turned: bool) -> None:
    expected = in_peace(store)
    sim = bought(emptied(store.engine))
    told = [(job, status, None) for _ in range(TIMES_EACH) for status in WAY for job in range(JOBS)]
    moved: list[Any] = [job for _ in WAY for job in range(JOBS)]
    play(sim, [*reversed(told), *moved, *told] if turned else [*moved, FOREIGN, *reversed(told)])
    settle(sim)
    assert rows(store) == expected
