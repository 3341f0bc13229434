"""Two installations in one account: the same requests, other buckets, and the names of their jobs."""

from dataclasses import replace
from pathlib import Path

import pytest

from consumers.core.jobs import JobRequest
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from daemon.adapters.store import SqlStore, make_engine, migrate
from schemas.messages import CancelBatch
from tests.contracts.planting import prove
from tests.stages.lots import the_chunk
from tests.stages.moments import at_call
from tests.stages.simulation import POLICY, Simulation

ROLE = POLICY.role_arn


@pytest.fixture
def others(sim: Simulation, tmp_path: Path) -> Simulation:
    """Another installation in the same account, with its own bucket and database."""
    engine = make_engine(f"sqlite:///{tmp_path / 'others.db'}")
    migrate(engine)
    store = SqlStore(engine)
    prove(store)
    policy = replace(POLICY, bucket="others", allowed_buckets=frozenset({"others"}))
    other = Simulation(store, policy=policy, min_records=2)
    other.jobs = sim.jobs
    return other


def test_the_same_request_in_two_buckets_has_two_jobs_and_both_batches_complete(
    sim: Simulation, others: Simulation
) -> None:
    batches = [(each, each.submit(each.media(2))) for each in (sim, others)]
    assert [job.input_uri.split("/")[2] for job in sim.jobs.created] == ["media", "others"]
    for each, _ in batches:
        arn = next(arn for arn, job in sim.jobs.requests.items() if each.policy.bucket in job.input_uri)
        each.answers.write_output(each.objects, sim.jobs.requests[arn], arn)
        sim.jobs.finish(arn)
        each.reconcile(2)
    assert {each.batch(batch_id).state for each, batch_id in batches} == {BatchState.COMPLETED}


def test_a_cancel_stops_no_job_of_another_installation(sim: Simulation, others: Simulation) -> None:
    sim.submit(sim.media(2))
    batch_id = others.submit(others.media(2))
    others.handle(CancelBatch(batch_id=batch_id))
    statuses = {job.input_uri.split("/")[2]: job.status for job in sim.jobs.reports.values()}
    assert statuses == {"media": JobStatus.SUBMITTED, "others": JobStatus.STOPPING}


def test_a_job_of_our_name_that_reads_another_folder_is_not_taken_for_ours(sim: Simulation) -> None:
    def take_the_name() -> None:
        (claim,) = sim.store.open_jobs()
        uris = "s3://others/in/", "s3://others/out/"
        sim.jobs.create(JobRequest(claim.name, "theirs", "us.amazon.nova-2-lite-v1:0", ROLE, *uris, 24))

    at_call(sim, "jobs.create", act=take_the_name)
    batch_id = sim.submit(sim.media(2))
    chunk = the_chunk(sim)
    assert chunk.state is ChunkState.FAILED
    assert "s3://others/in/" in chunk.last_error
    theirs, ours = sim.jobs.reports.values()
    assert (theirs.status, ours.input_uri.split("/")[2]) == (JobStatus.SUBMITTED, "media")
    sim.jobs.finish(theirs.arn)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
