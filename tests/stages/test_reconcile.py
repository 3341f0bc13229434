"""The reconciler: whatever is missed is found again, and it only sends messages."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.core import layout
from consumers.core.lifecycle import BatchState, JobStatus
from consumers.core.rows import Leased
from daemon.adapters.tables import findings
from schemas.facts import FindingMade, ReconcilerRan
from schemas.job_events import JobStateChange
from schemas.messages import PlanBatch, Reconcile, SubmitBatch
from tests.depth import examples
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation


def reconcile(sim: Simulation, passes: int = 1) -> None:
    for _ in range(passes):
        sim.post(Reconcile())
        sim.run()


def test_without_any_event_the_batch_ends_all_the_same(sim: Simulation) -> None:
    sim.events_arrive = False
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(3))
    sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.RUNNING
    reconcile(sim)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 3


def test_a_pass_over_a_quiet_system_sends_nothing(sim: Simulation) -> None:
    sim.submit(sim.media(3))
    sim.finish_all()
    sim.facts.clear()
    reconcile(sim)
    assert sim.facts == [ReconcilerRan(0)]


def test_one_pass_costs_one_listing_however_many_jobs_are_open(sim: Simulation) -> None:
    sim.small_chunks(1)
    sim.submit(sim.media(8))
    before = len(sim.jobs.calls.log)
    reconcile(sim)
    assert [call for call, _ in sim.jobs.calls.log[before:]].count("since") == 1


def test_only_one_pass_is_made_at_a_time(sim: Simulation) -> None:
    held = sim.store.take(Leased.RECONCILER, "reconcile", 60)
    assert held is not None
    before = len(sim.jobs.calls.log)
    reconcile(sim)
    assert len(sim.jobs.calls.log) == before


def test_a_message_lost_at_any_step_is_made_up_for(sim: Simulation, simulate: NewSimulation) -> None:
    """Every message is dropped once, one after another, in otherwise equal runs."""
    sim.submit(sim.media(2))
    sim.finish_all()
    total = sim.handled
    for lost in range(2, total):
        run = simulate()
        run.drop = lost
        batch_id = run.submit(run.media(2))
        for _ in range(6):
            run.finish_jobs()
            run.pass_time(200)
            reconcile(run)
        assert run.batch(batch_id).state is BatchState.COMPLETED, f"message {lost} was lost"
        assert len(run.jobs.created) == 1


def test_a_plan_nobody_continues_is_taken_up(sim: Simulation) -> None:
    files = sim.media(2)
    sim.handle(SubmitBatch.model_validate({"request_id": "r", "model": "nova-2-lite", "files": files}))
    sim.queue.clear()
    reconcile(sim)
    assert sim.batch(layout.batch_id("r")).state is BatchState.RUNNING
    assert not [message for message in sim.queue if isinstance(message, PlanBatch)]


@settings(
    max_examples=examples(10, 25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_events_in_any_order_doubled_and_late_end_in_the_same_rows(
    simulate: NewSimulation, data: st.DataObject
) -> None:
    sim = simulate(min_records=1, events_arrive=False)
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2))
    arns = list(sim.jobs.reports)
    events = [(arn, status) for arn in arns for status in JobStatus] * 2
    for arn in arns:
        sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
        sim.jobs.finish(arn)
    for arn, status in data.draw(st.permutations(events)):
        sim.post(JobStateChange.hint(arn, sim.jobs.reports[arn].name, status))
        sim.run()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}


def test_a_job_on_its_way_is_asked_about_once_in_an_interval_and_its_end_at_once(
    sim: Simulation,
) -> None:
    sim.submit(sim.media(2))
    (arn,) = sim.jobs.reports

    def asked(status: JobStatus) -> int:
        before = sim.jobs.calls.count("get")
        sim.jobs.move(arn, status)
        reconcile(sim)
        return sim.jobs.calls.count("get") - before

    assert asked(JobStatus.VALIDATING) == 1
    sim.pass_time(29)
    assert asked(JobStatus.SCHEDULED) == 0
    sim.pass_time(1)
    assert asked(JobStatus.SCHEDULED) == 1
    assert asked(JobStatus.FAILED) >= 1


def test_a_job_that_bedrock_does_not_list_is_found_once_it_is_overdue(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    sim.jobs.listed_after = timedelta(days=1)
    sim.pass_time(119)
    reconcile(sim)
    assert not [fact for fact in sim.facts if isinstance(fact, FindingMade)]
    sim.pass_time(1)
    reconcile(sim)
    assert {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)} == {"job_unknown"}


def test_a_job_that_bedrock_lists_at_last_is_found_no_more_while_it_still_runs(sim: Simulation) -> None:
    sim.submit(sim.media(2))
    sim.jobs.listed_after = timedelta(seconds=150)
    sim.pass_time(121)
    reconcile(sim)
    assert found(sim) == {"job_unknown"}
    sim.pass_time(30)
    reconcile(sim)
    assert found(sim) == set()
    assert [report.status for report in sim.jobs.reports.values()] == [JobStatus.SUBMITTED]


def found(sim: Simulation) -> set[str]:
    with sim.store.database.read() as connection:
        return {row.kind for row in connection.execute(findings.select())}
