"""Slots and jobs: one job for each chunk, whatever Bedrock answers."""

import pytest

from consumers.core import layout
from consumers.core.faults import Denied, NameTaken, PassingFault, QuotaExceeded, Rejected, Throttled
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Chunk
from schemas.job_events import JobStateChange
from schemas.messages import IngestChunk, Reconcile, SubmitChunk
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation
from tests.stages.test_cancel import found


def test_never_more_jobs_are_open_than_there_are_slots_and_all_chunks_get_one(sim: Simulation) -> None:
    small = Simulation(sim.store, slots=2, min_records=1)
    small.small_chunks(1)
    batch_id = small.submit(small.media(7))
    open_at_once = []
    while ended := small.finish_jobs():
        open_at_once.append(ended)
    assert max(open_at_once) == 2
    assert len(small.jobs.created) == 7
    assert small.batch(batch_id).state is BatchState.COMPLETED


def test_chunks_without_a_slot_are_staged_ahead_and_start_by_one_call(sim: Simulation) -> None:
    small = Simulation(sim.store, slots=1, min_records=1)
    small.small_chunks(1)
    small.submit(small.media(3))
    ready = [small.store.chunk(chunk_id) for chunk_id, _ in small.store.chunk_ids(layout.batch_id("r"))]
    assert [chunk.state for chunk in ready if chunk] == ["SUBMITTED", "READY", "READY"]
    copies = small.objects.calls.count("copies")
    small.finish_jobs()
    assert len(small.jobs.created) == 2
    assert small.objects.calls.count("copies") == copies


@pytest.mark.parametrize("fault", [QuotaExceeded("full"), Throttled("slow down")])
def test_a_create_refused_for_quota_gives_the_slot_back_and_one_chunk_probes_later(
    sim: Simulation, fault: PassingFault
) -> None:
    sim.small_chunks(1)
    sim.jobs.fail_next("create", fault)
    batch_id = sim.submit(sim.media(3))
    assert not [job for job in sim.store.open_jobs() if job.arn is None]
    assert len(sim.jobs.created) < 3
    sim.pass_time(31)
    for _ in range(3):
        sim.post(Reconcile())
        sim.run()
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 3
    assert not sim.dead


def only_chunk(sim: Simulation, batch_id: str) -> Chunk:
    ((chunk_id, _),) = sim.store.chunk_ids(batch_id)
    chunk = sim.store.chunk(chunk_id)
    assert chunk is not None
    return chunk


def test_a_lost_create_whose_job_may_not_be_looked_for_says_so_in_its_row_at_once(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection reset"), lost_answer=True)
    sim.jobs.fail_next("find", Denied("no ListModelInvocationJobs"))
    batch_id = sim.submit(sim.media(2))
    assert "no ListModelInvocationJobs" in only_chunk(sim, batch_id).last_error
    sim.pass_time(60)
    assert only_chunk(sim, batch_id).state is ChunkState.SUBMITTED
    assert len(sim.jobs.created) == 1


def test_a_job_that_may_not_be_asked_for_is_found_until_it_may(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.jobs.fail_next("get", Denied("no GetModelInvocationJob"))
    sim.finish_jobs()
    assert found(sim) == {"job_not_asked": "no GetModelInvocationJob"}
    sim.pass_time(600)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert found(sim) == {}


def test_a_job_whose_create_answer_was_lost_is_found_again_and_not_bought_twice(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection reset"), lost_answer=True)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_create_that_never_reached_bedrock_is_sent_again(sim: Simulation) -> None:
    sim.jobs.fail_next("create", PassingFault("connection refused"))
    sim.submit(sim.media(2))
    sim.pass_time(60)
    assert len(sim.jobs.created) == 1


def test_a_name_in_use_means_our_job_exists(sim: Simulation) -> None:
    sim.jobs.fail_next("create", NameTaken("The provided job name is currently in use"), lost_answer=True)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    assert sim.batch(batch_id).state is BatchState.COMPLETED


@pytest.mark.parametrize("fault", [Denied("no iam:PassRole"), Rejected("model not supported")])
def test_a_job_that_bedrock_will_not_create_ends_its_chunk_with_the_reason(
    sim: Simulation, fault: Exception
) -> None:
    sim.jobs.fail_next("create", fault, times=9)
    batch_id = sim.submit(sim.media(2))
    lines = sim.results(batch_id)
    assert {line["outcome"] for line in lines} == {"MISSING"}
    assert {line["error"]["code"] for line in lines} == {"JOB_FAILED"}
    assert str(fault) in lines[0]["error"]["message"]
    assert not sim.store.open_jobs()


def test_a_model_pauses_itself_after_three_chunks_that_failed_as_a_whole(sim: Simulation) -> None:
    sim.small_chunks(1)
    sim.jobs.fail_next("create", Denied("no iam:PassRole"), times=99)
    batch_id = sim.submit(sim.media(10))
    states = [state for _, state in sim.store.chunk_ids(batch_id)]
    assert states.count(ChunkState.FAILED) == 3
    assert sim.batch(batch_id).state is not BatchState.FAILED
    assert sim.store.resume("us.amazon.nova-2-lite-v1:0")


def test_an_event_faster_than_our_own_note_is_matched_by_name(sim: Simulation) -> None:
    def event_first(call: str) -> None:
        if call.startswith("jobs.create") and call.endswith("done"):
            sim.on_call = lambda _: None
            (arn,) = sim.jobs.reports
            sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
            report = sim.jobs.finish(arn)
            sim.handle(JobStateChange.hint(arn, report.name, "Completed"))

    sim.on_call = event_first
    batch_id = sim.submit(sim.media(2))
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1


def test_results_are_read_though_whoever_came_for_them_found_the_chunk_held(sim: Simulation) -> None:
    def end_at_once() -> None:
        (arn,) = sim.jobs.reports
        sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
        sim.handle(JobStateChange.hint(arn, sim.jobs.finish(arn).name, "Completed"))
        sim.handle(sim.queue.pop())

    at_call(sim, "jobs.create", "done", act=end_at_once)
    batch_id = sim.submit(sim.media(2))
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert IngestChunk in {type(message) for message in sim.log}


def test_a_foreign_jobs_event_changes_nothing(sim: Simulation) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghwxyz"
    foreign = "arn:aws:bedrock:us-east-1:999999999999:model-invocation-job/abcdefghwxyz"
    for each in (arn, foreign):
        sim.post(JobStateChange.hint(each, "somebody-elses-job", "Completed"))
    sim.run()
    assert not sim.dead
    assert {fact.event for fact in sim.facts} == {"ignored"}


def test_an_end_that_get_does_not_confirm_yet_comes_again(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    (arn,) = sim.jobs.reports
    sim.post(JobStateChange.hint(arn, sim.jobs.reports[arn].name, "Completed"))
    sim.run()
    assert sim.batch(batch_id).state is BatchState.RUNNING
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    sim.jobs.finish(arn)
    sim.pass_time(30)
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_chunk_held_by_another_is_left_to_its_holder(sim: Simulation) -> None:
    from consumers.core.rows import Leased

    sim.small_chunks(1)
    sim.store.pause("*", "for the test", sim.now)
    batch_id = sim.submit(sim.media(1))
    chunk_id = layout.chunk_id(batch_id, 0)
    sim.store.resume("*")
    held = sim.store.take(Leased.CHUNK, chunk_id, 60)
    assert held is not None
    sim.post(SubmitChunk(chunk_id=chunk_id))
    sim.run()
    assert not sim.jobs.created
    sim.store.release(held)
    sim.post(SubmitChunk(chunk_id=chunk_id))
    sim.run()
    assert len(sim.jobs.created) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (JobStatus.FAILED, "JOB_FAILED"),
        (JobStatus.EXPIRED, "JOB_EXPIRED"),
        (JobStatus.STOPPED, "JOB_STOPPED"),
    ],
)
def test_a_job_without_output_leaves_records_that_say_why(
    sim: Simulation, status: JobStatus, code: str
) -> None:
    from dataclasses import replace

    sim.policy = replace(sim.policy, max_attempts=1)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(
        status, output=False, message="contains less records (2) than the required minimum of: 100"
    )
    lines = sim.results(batch_id)
    assert {(line["outcome"], line["error"]["code"]) for line in lines} == {("MISSING", code)}
