"""The end of a batch: what failed is sent again, only that, and one owner ends it."""

from dataclasses import replace

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, JobStatus
from schemas.messages import CancelBatch, RetryBatch
from tests.stages.bedrock_answers import answer, error
from tests.stages.simulation import Simulation


def test_only_what_failed_for_a_passing_reason_is_bought_again(sim: Simulation) -> None:
    sim.answers.plan("file-2:combined", error(503))
    sim.answers.plan("file-3:combined", error(400, "Provided S3 URI is invalid"))
    batch_id = sim.submit(sim.media(4))
    sim.finish_all()
    assert dict(sim.answers.bought) == {
        "file-1:combined": 1,
        "file-2:combined": 2,
        "file-3:combined": 1,
        "file-4:combined": 1,
    }
    told = {line["file_id"]: (line["outcome"], line["attempt"]) for line in sim.results(batch_id)}
    assert told == {1: ("SUCCEEDED", 1), 2: ("SUCCEEDED", 2), 3: ("MODEL_ERROR", 1), 4: ("SUCCEEDED", 1)}


def test_attempts_end_at_the_limit(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", *[error(500)] * 9)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert sim.answers.bought["file-1:combined"] == 3
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS


def test_a_cut_answer_is_tried_once_more_with_more_tokens(sim: Simulation) -> None:
    sim.answers.plan("file-1:summary", *[answer('{"text": "A po', "max_tokens")] * 9)
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_all()
    assert sim.answers.bought["file-1:summary"] == 2
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    plan = sim.objects.text(layout.plan_key(batch_id, 1))
    assert '[0,"summary",2,4096]' in plan


def test_a_cut_answer_that_could_be_kept_is_not_lost_to_a_worse_one(sim: Simulation) -> None:
    cut = answer('{"text": "A po', "max_tokens")
    sim.answers.plan("file-1:summary", cut, error(400, "no"))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_all()
    line = next(line for line in sim.results(batch_id) if line["file_id"] == 1)
    assert (line["outcome"], line["attempt"], line["repaired"]) == ("TRUNCATED", 1, True)
    assert line["result"]["text"] == "A po"
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought["file-1:summary"] == 2


def test_a_job_that_failed_for_good_is_not_repeated(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Access denied to the S3 location")
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert len(sim.jobs.created) == 1


def test_a_job_that_failed_for_a_passing_reason_is_repeated_in_a_new_chunk(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Internal error")
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.store.chunk_ids(batch_id)) == 2


def test_a_batch_ends_only_when_its_last_chunk_is_through(sim: Simulation) -> None:
    small = Simulation(sim.store, slots=1, min_records=1)
    small.small_chunks(1)
    batch_id = small.submit(small.media(3))
    states = []
    while small.finish_jobs():
        states.append(small.batch(batch_id).state)
    assert states == [BatchState.RUNNING, BatchState.RUNNING, BatchState.COMPLETED]
    assert sum(event.name.value == "Batch Finished" for event in small.sent) == 1


def test_a_retry_buys_what_failed_again_and_makes_a_new_revision(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    first = sim.batch(batch_id)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    assert sim.batch(batch_id).state is BatchState.RUNNING
    sim.finish_all()
    again = sim.batch(batch_id)
    assert again.state is BatchState.COMPLETED
    assert again.revision == first.revision + 1
    assert sim.answers.bought == {"file-1:combined": 2, "file-2:combined": 1}


def test_a_retry_of_a_running_batch_is_refused(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.post(RetryBatch(request_id="r"))
    sim.run()
    (_, refused) = sim.dead[-1]
    assert refused.code == "batch_not_ended"
    assert batch_id in refused.why


def test_a_retry_with_nothing_to_do_changes_nothing(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    before = sim.batch(batch_id)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    assert sim.batch(batch_id) == before


@pytest.mark.parametrize("by", ["batch_id", "request_id"])
def test_a_cancelled_batch_keeps_what_its_jobs_finished_and_starts_no_more(sim: Simulation, by: str) -> None:
    small = Simulation(sim.store, slots=1, min_records=1)
    small.policy = replace(small.policy, stage_ahead=0)
    small.small_chunks(1)
    batch_id = small.submit(small.media(3))
    small.post(CancelBatch.model_validate({by: batch_id if by == "batch_id" else "r"}))
    small.run()
    assert {report.status for report in small.jobs.reports.values()} == {JobStatus.STOPPING}
    small.finish_all()
    assert small.batch(batch_id).state is BatchState.CANCELLED
    assert len(small.jobs.created) == 1
    told = [line["outcome"] for line in small.results(batch_id)]
    assert told.count("CANCELLED") == 2
    assert told.count("SUCCEEDED") == 5


def test_an_unknown_batch_is_refused_by_name(sim: Simulation) -> None:
    sim.post(CancelBatch(request_id="nobody"))
    sim.run()
    (_, refused) = sim.dead[-1]
    assert "nobody" in refused.why
