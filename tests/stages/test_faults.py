"""Faults that do not pass: each is counted on its row, tells a person, and multiplies nothing."""

import pytest

from consumers.core import layout
from consumers.core.faults import Denied, LeaseLost, Rejected
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Leased
from schemas.analyses import REGISTRY, Registry
from schemas.facts import FindingMade
from schemas.messages import RetryBatch, SubmitBatch
from schemas.models import ModelTable
from tests.fakes.calls import ignore
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation

MANY = 10**6


def wait_an_hour(sim: Simulation) -> int:
    """Let an hour pass with a reconciler at work; returns how many messages waited at most."""
    waited = 0
    for _ in range(12):
        sim.pass_time(300)
        sim.reconcile()
        waited = max(waited, len(sim.later))
    return waited


def codes(sim: Simulation, batch_id: str) -> set[str]:
    return {line["error"]["code"] for line in sim.results(batch_id) if line["error"]}


def test_a_key_that_s3_will_not_measure_costs_itself_only(sim: Simulation) -> None:
    files = sim.media(3)
    sim.objects.fail_next("heads", Rejected("400 KeyTooLongError"), subject="Video, 2", times=MANY)
    batch_id = sim.submit(files)
    sim.finish_all()
    refused = [line for line in sim.results(batch_id) if line["outcome"] == "REFUSED"]
    assert [(line["file_id"], line["error"]["code"]) for line in refused] == [(2, "not_readable")]
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS


@pytest.mark.parametrize("fault", [Rejected("KMS.DisabledException"), Denied("PutObject")])
def test_a_chunk_that_cannot_be_prepared_fails_with_the_reason(sim: Simulation, fault: Exception) -> None:
    sim.objects.fail_next("writer", fault, subject="manifest.jsonl", times=MANY)
    batch_id = sim.submit(sim.media(2))
    wait_an_hour(sim)
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert codes(sim, batch_id) == {"CHUNK_NOT_PREPARED"}
    assert str(fault) in sim.results(batch_id)[0]["error"]["message"]
    assert not sim.jobs.created


@pytest.mark.parametrize("fault", [Rejected("KMS.DisabledException"), Denied("GetObject")])
def test_output_that_s3_will_not_give_ends_its_records_and_not_the_money(
    sim: Simulation, fault: Exception
) -> None:
    sim.objects.fail_next("lines", fault, times=MANY)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    wait_an_hour(sim)
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert codes(sim, batch_id) == {"RESULT_FETCH_FAILED"}
    assert len(sim.jobs.created) == 1


def test_an_analysis_type_that_left_the_registry_buys_nothing_again(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.analyses = Registry(each for each in REGISTRY if each.name != "combined")
    sim.finish_jobs()
    wait_an_hour(sim)
    assert codes(sim, batch_id) == {"RESULT_FETCH_FAILED"}
    assert "put its file back" in sim.results(batch_id)[0]["error"]["message"]
    assert sim.temporary_keys()
    assert len(sim.jobs.created) == 1


@pytest.mark.parametrize(
    ("call", "subject", "finding"),
    [
        ("writer", "plan.jsonl", "plan_failing"),
        ("writer", "results.jsonl", "settle_failing"),
        ("writer", layout.part_key(layout.batch_id("r"), 0), "store_failing"),
        ("delete", "objects", "cleanup_failing"),
    ],
)
def test_a_permission_that_is_missing_multiplies_no_message_and_works_once_it_is_given(
    sim: Simulation, call: str, subject: str, finding: str
) -> None:
    sim.objects.fail_next(call, Denied("not allowed"), subject=subject, times=6)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    assert wait_an_hour(sim) <= 1
    wait_an_hour(sim)
    sim.finish_all()
    assert finding in {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)}
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.temporary_keys()
    assert len(sim.jobs.created) == 1
    assert not sim.dead


def test_a_model_that_left_the_table_stops_its_batch_until_it_is_back(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(503))
    batch_id = sim.submit(sim.media(2))
    known, sim.models = sim.models, ModelTable(())
    sim.finish_jobs()
    assert wait_an_hour(sim) <= 1
    assert "settle_failing" in {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)}
    sim.models = known
    wait_an_hour(sim)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.dead


def test_the_reconciler_looks_after_the_rows_although_bedrock_gives_no_list(sim: Simulation) -> None:
    sim.submit(sim.media(2), "other")
    request = {"request_id": "r", "model": "nova-2-lite", "files": sim.media(2)}
    sim.handle(SubmitBatch.model_validate(request))
    sim.queue.clear()
    sim.jobs.fail_next("since", Denied("no ListModelInvocationJobs"), times=MANY)
    sim.reconcile()
    assert sim.batch(layout.batch_id("r")).state is BatchState.RUNNING


def test_a_retry_waits_for_whoever_works_on_the_batch(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    held = sim.store.take(Leased.BATCH, batch_id, 60)
    assert held is not None
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.store.release(held)
    sim.pass_time(60)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_copy_that_is_not_in_the_folder_keeps_the_chunk_from_its_job(sim: Simulation) -> None:
    def lose_it() -> None:
        (copy,) = [key for key in sim.objects.keys(layout.INPUT_ROOT) if key.endswith("Video_1.mov")]
        sim.objects.buckets["media"].pop(copy)

    at_call(sim, "objects.copies", "Video, 1.mov", "done", act=lose_it)
    batch_id = sim.submit(sim.media(2))
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    assert (chunk.state, len(sim.jobs.created)) == (ChunkState.PREPARING, 0)
    assert "not as planned" in chunk.last_error
    sim.pass_time(60)
    assert len(sim.jobs.created) == 1
    assert sum("/files/" in key for key in sim.objects.keys(layout.INPUT_ROOT)) == 2


def test_a_worker_whose_lease_is_lost_after_its_claim_creates_no_job(simulate: NewSimulation) -> None:
    sim = simulate(lease_seconds=-1)

    def lose_lease(call: str) -> None:
        if call == "checkpoint" and any(job.arn is None for job in sim.store.open_jobs()):
            sim.on_call = ignore
            raise LeaseLost("another may be at work")

    sim.on_call = lose_lease
    batch_id = sim.submit(sim.media(2))
    assert len(sim.store.open_jobs()) == 1
    assert not sim.jobs.created
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1
