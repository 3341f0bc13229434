"""Whatever becomes of Bedrock's events, the same rows in the end: lost, in part, doubled, out of order."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select

from consumers.core.lifecycle import JOB_ENDS, BatchState, JobStatus
from daemon.adapters.columns import Time
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import batches, chunks, findings, jobs, records
from schemas.job_events import JobStateChange
from tests.depth import examples
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation

Events = list[JobStateChange]
Delivery = Callable[[Events, Random], Events]
FILES = 8
WAY = (JobStatus.VALIDATING, JobStatus.IN_PROGRESS, JobStatus.COMPLETED)
TIMED = {"part_sha256", "changes", "failures", "last_error", "lease_token", "lease_until"}


def each_once(events: Events, dice: Random) -> Events:
    return events


def none_of_them(events: Events, dice: Random) -> Events:
    return []


def all_but_three_in_ten(events: Events, dice: Random) -> Events:
    return [event for event in events if dice.random() >= 0.3]


def five_times_shuffled(events: Events, dice: Random) -> Events:
    return dice.sample(events * 5, len(events) * 5)


@pytest.mark.parametrize("delivery", [none_of_them, all_but_three_in_ten, five_times_shuffled])
def test_what_becomes_of_events_changes_no_row(simulate: NewSimulation, delivery: Delivery) -> None:
    quiet = rows(played(simulate, each_once, Random(0)).store)

    @settings(
        max_examples=examples(4, 8),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.randoms(use_true_random=False))
    def same(dice: Random) -> None:
        assert rows(played(simulate, delivery, dice).store) == quiet

    same()


def test_lost_events_need_the_reconciler(simulate: NewSimulation) -> None:
    """Else the tests above would show nothing."""
    played(simulate, each_once, Random(0))
    sim, batch_id = begun(simulate)
    assert go_round(sim, none_of_them, Random(0))
    sim.run()
    assert sim.batch(batch_id).state is BatchState.RUNNING


def played(simulate: NewSimulation, delivery: Delivery, dice: Random) -> Simulation:
    """Let a batch go through, its events delivered in some way, the reconciler at its hours."""
    sim, batch_id = begun(simulate)
    while go_round(sim, delivery, dice):
        sim.pass_time(200)
        sim.reconcile(2)
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    assert sim.answers.bought == {f"file-{n}:combined": 2 if n == 2 else 1 for n in range(1, FILES + 1)}
    assert not sim.dead
    return sim


def begun(simulate: NewSimulation) -> tuple[Simulation, str]:
    """Post a batch of four jobs, with one record that fails for good and one that fails once."""
    sim = simulate(min_records=1)
    sim.small_chunks(2)
    sim.answers.plan("file-2:combined", error(503))
    sim.answers.plan("file-5:combined", error(400))
    return sim, sim.submit(sim.media(FILES))


def go_round(sim: Simulation, delivery: Delivery, dice: Random) -> int:
    """Bring every open job to its end, and deliver what is delivered of all their events."""
    arns = [arn for arn, report in sim.jobs.reports.items() if report.status not in JOB_ENDS]
    events = [go_on(sim, arn, status) for status in WAY for arn in arns]
    for event in delivery(events, dice):
        sim.post(event)
        sim.run()
    return len(arns)


def go_on(sim: Simulation, arn: str, status: JobStatus) -> JobStateChange:
    """Let Bedrock bring a job one step further; returns the event it sends."""
    if status is not JobStatus.COMPLETED:
        return JobStateChange.hint(arn, sim.jobs.move(arn, status).name, status)
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    return JobStateChange.hint(arn, sim.jobs.finish(arn).name, status)


def rows(store: SqlStore) -> list[Any]:
    """Return all that is stored, but for when it was done and what went by on the way."""
    with store.database.read() as connection:
        return [
            tuple(row)
            for table in (batches, chunks, jobs, records, findings)
            for row in connection.execute(select(*lasting(table)).order_by(*table.primary_key))
        ]


def lasting(table: Table) -> Iterable[Any]:
    return [each for each in table.c if not isinstance(each.type, Time) and each.name not in TIMED]
