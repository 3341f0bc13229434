"""A person has an ended batch retried: what is sent again, what is kept, and never twice for one wish."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from consumers.core import layout
from consumers.core.faults import Denied, PassingFault
from consumers.core.lifecycle import BatchState, ChunkState, JobStatus
from consumers.core.rows import Leased
from consumers.core.world import Done, Later, Refuse
from schemas.messages import CancelBatch, IngestChunk, RetryBatch
from tests.contracts.planting import hold_batch, new_batch, new_chunk, new_file
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call, before_lease
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere

CUT = answer('{"text": "A po', "max_tokens")
BROKEN = answer("I would rather not.")
HOPELESS = answer("I would rather", "max_tokens")


def retry(sim: Simulation, batch_id: str, revision: int | None = None) -> Done | Later | Refuse | None:
    """Deliver a retry and everything that follows at once; returns the stage's answer."""
    outcome = sim.handle(RetryBatch(batch_id=batch_id, revision=revision))
    sim.run()
    return outcome


def told(sim: Simulation, batch_id: str) -> dict[int, tuple[str, int | None]]:
    return {line["file_id"]: (line["outcome"], line["attempt"]) for line in sim.results(batch_id)}


# ── outcome by outcome ─────────────────────────────────────────────────────────────────────────


def fail_for_good(sim: Simulation, batch_id: str) -> None:
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Access denied to the S3 location")


def expire(sim: Simulation, batch_id: str) -> None:
    """Let each job run out of time before anything was done, until no other is tried.

    Three such chunks in a row pause their model; a person lets it go on.
    """
    for _ in range(sim.policy.max_attempts):
        sim.finish_jobs(JobStatus.EXPIRED, output=False)
    assert {line["error"]["code"] for line in sim.results(batch_id)} == {"JOB_EXPIRED"}
    assert sim.store.resume("*")


def stop(sim: Simulation, batch_id: str) -> None:
    """Let the job be stopped behind our back, with nothing done."""
    sim.finish_jobs(JobStatus.STOPPED, output=False)


def cancel(sim: Simulation, batch_id: str) -> None:
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.finish_jobs(JobStatus.STOPPED, output=False)


def finish(sim: Simulation, batch_id: str) -> None:
    sim.finish_all()


Ending = Callable[[Simulation, str], None]


@pytest.mark.parametrize(
    ("answers", "end", "outcome"),
    [
        ([error(400, "no")], finish, "MODEL_ERROR"),
        ([error(503)] * 3, finish, "MODEL_ERROR"),
        ([BROKEN] * 2, finish, "UNPARSABLE"),
        ([answer("", "content_filtered")], finish, "FILTERED"),
        ([HOPELESS] * 2, finish, "TRUNCATED"),
        ([None] * 3, finish, "MISSING"),
        ([], fail_for_good, "MISSING"),
        ([], expire, "MISSING"),
        ([], stop, "MISSING"),
        ([], cancel, "MISSING"),
    ],
)
def test_what_has_no_good_result_is_sent_again(
    sim: Simulation, answers: list[dict[str, object] | None], end: Ending, outcome: str
) -> None:
    sim.answers.plan("file-1:summary", *answers)
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    end(sim, batch_id)
    before = sim.batch(batch_id)
    assert told(sim, batch_id)[1][0] == outcome
    retry(sim, batch_id, before.revision)
    sim.finish_all()
    after = sim.batch(batch_id)
    assert (after.state, after.revision) == (BatchState.COMPLETED, before.revision + 1)
    assert {line["outcome"] for line in sim.results(batch_id)} == {"SUCCEEDED"}
    assert sim.answers.bought["file-1:summary"] == len(answers) + 1


def test_what_was_cancelled_before_it_started_is_sent(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(3))
    cancel(sim, batch_id)
    assert [outcome for outcome, _ in told(sim, batch_id).values()].count("CANCELLED") == 2
    retry(sim, batch_id)
    sim.finish_all()
    batch = sim.batch(batch_id)
    assert (batch.state, batch.cancelled) == (BatchState.COMPLETED, False)
    assert sim.answers.bought_once(f"file-{n}:combined" for n in (1, 2, 3))


def test_what_a_budget_left_unbought_is_sent(simulate: NewSimulation) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.small_chunks(1)
    files = sim.media(3)
    sim.policy = replace(sim.policy, budget_usd_per_day=Decimal("0.000001"))
    batch_id = sim.submit(files)
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.FAILED
    assert batch.stopped
    assert {outcome for outcome, _ in told(sim, batch_id).values()} == {"NOT_BOUGHT"}
    sim.policy = replace(sim.policy, budget_usd_per_day=None)
    retry(sim, batch_id, 1)
    assert not sim.batch(batch_id).stopped
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought_once(f"file-{n}:combined" for n in (1, 2, 3))


def test_what_a_canary_held_back_is_sent_without_a_canary(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1)
    sim.small_chunks(1)
    sim.policy = replace(sim.policy, canary_chunks=1)
    sim.answers.plan("file-1:combined", error(400, "a bad prompt"))
    batch_id = sim.submit(sim.media(3))
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    assert sim.batch(batch_id).stopped
    retry(sim, batch_id, 1)
    batch = sim.batch(batch_id)
    assert (batch.stopped, batch.canary) == ("", None)
    assert len(sim.jobs.created) == 4
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_what_could_not_be_copied_is_copied_again(sim: Simulation) -> None:
    sim.objects.fail_next("copies", Denied("no access to the original"), times=10)
    batch_id = sim.submit(sim.media(2))
    for _ in range(6):
        sim.pass_time(3600)
    assert sim.batch(batch_id).state is BatchState.FAILED
    retry(sim, batch_id)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


@pytest.mark.parametrize(
    ("answers", "outcome", "state"),
    [
        ([], "SUCCEEDED", BatchState.COMPLETED),
        ([CUT, error(400, "no")], "TRUNCATED", BatchState.COMPLETED),
    ],
)
def test_what_is_good_is_kept(
    sim: Simulation, answers: list[dict[str, object]], outcome: str, state: BatchState
) -> None:
    sim.answers.plan("file-1:summary", *answers)
    sim.answers.plan("file-2:summary", error(400, "no"))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_all()
    bought = sim.answers.bought["file-1:summary"]
    retry(sim, batch_id)
    sim.finish_all()
    assert sim.answers.bought == {"file-1:summary": bought, "file-2:summary": 2}
    assert told(sim, batch_id) == {1: (outcome, 1), 2: ("SUCCEEDED", 2)}
    assert sim.batch(batch_id).state is state


def test_records_of_a_job_that_expired_are_sent_again_by_themselves(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.EXPIRED, output=False)
    assert sim.batch(batch_id).state is BatchState.RUNNING
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert told(sim, batch_id) == {1: ("SUCCEEDED", 2), 2: ("SUCCEEDED", 2)}
    assert sim.batch(batch_id).revision == 1


def test_a_hopelessly_cut_answer_is_asked_for_with_more_tokens(sim: Simulation) -> None:
    sim.answers.plan("file-1:summary", HOPELESS, HOPELESS)
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"], options={"max_tokens": 1000})
    sim.finish_all()
    retry(sim, batch_id)
    assert '[0,"summary",3,4000]' in sim.objects.text(layout.plan_key(batch_id, 2))


def test_attempts_are_counted_afresh(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", *[error(500)] * 20)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert sim.answers.bought["file-1:combined"] == 3
    for retries in (1, 2):
        retry(sim, batch_id)
        sim.finish_all()
        assert sim.answers.bought["file-1:combined"] == 3 + 3 * retries
    assert told(sim, batch_id)[1] == ("MODEL_ERROR", 9)


# ── output that is paid for ────────────────────────────────────────────────────────────────────


def with_unread_output(sim: Simulation, times: int = 4) -> tuple[str, str]:
    """End a batch of two chunks, of which one could not be read and one failed; returns batch and unread."""
    sim.small_chunks(1)
    sim.answers.plan("file-2:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    unread = layout.chunk_id(batch_id, 0)
    chunk = sim.store.chunk(unread)
    assert chunk is not None
    prefix = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=prefix, times=times)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    assert sim.batch(batch_id).state is BatchState.FAILED
    return batch_id, unread


def test_what_is_paid_for_is_read_and_not_bought(sim: Simulation) -> None:
    batch_id, unread = with_unread_output(sim)
    retry(sim, batch_id)
    assert dict(sim.store.chunk_ids(batch_id))[unread] is ChunkState.COMPLETED
    sim.finish_all()
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2}
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_where_nothing_but_unread_output_is_left_it_is_read_at_once(sim: Simulation) -> None:
    batch_id, unread = with_unread_output(sim, times=6)
    retry(sim, batch_id)
    sim.finish_all()
    assert dict(sim.store.chunk_ids(batch_id))[unread] is ChunkState.FAILED
    outcome = retry(sim, batch_id)
    assert isinstance(outcome, Done)
    assert outcome.then == (IngestChunk(chunk_id=unread),)
    sim.run()
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    retry(sim, batch_id)
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2}


def test_output_read_while_a_round_is_made_adds_no_round_that_its_plan_does_not_say(sim: Simulation) -> None:
    batch_id, unread = with_unread_output(sim)
    at_call(sim, "writer", "plan-r1", "done", act=lambda: sim.handle(IngestChunk(chunk_id=unread)))
    outcome = sim.handle(RetryBatch(batch_id=batch_id))
    assert isinstance(outcome, Later)
    assert sim.batch(batch_id).round == 0
    sim.run()
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    sim.pass_time(60)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 2}


# ── REFUSED files ──────────────────────────────────────────────────────────────────────────────


def refused(sim: Simulation, batch_id: str) -> dict[str, tuple[str, str]]:
    return {file.file_id: (file.code, file.reason) for file in sim.store.refused_files(batch_id)}


def test_a_refused_file_that_is_fine_now_is_sent_with_its_size_and_etag_of_now(sim: Simulation) -> None:
    sim.objects.put("a, b.mov", b"")
    files = [*sim.media(2), {"file_id": 8, "s3_key": "a, b.mov"}, {"file_id": 9, "s3_key": "gone.mov"}]
    batch_id = sim.submit(files)
    sim.finish_all()
    assert set(refused(sim, batch_id)) == {"8", "9"}
    etags = {key: sim.objects.put(key, f"there is {key}") for key in ("a, b.mov", "gone.mov")}
    retry(sim, batch_id)
    sent = {file.s3_key: file for file in sim.store.chunk_files(layout.chunk_id(batch_id, 1))}
    assert {key: file.etag for key, file in sent.items()} == etags
    assert {key: file.size_bytes for key, file in sent.items()} == {
        key: len(f"there is {key}") for key in etags
    }
    sim.finish_all()
    batch = sim.batch(batch_id)
    assert (batch.state, batch.revision) == (BatchState.COMPLETED, 2)
    assert sim.answers.bought_once(f"file-{n}:combined" for n in (1, 2, 8, 9))


def test_a_file_that_is_still_refused_gets_its_reason_of_now(sim: Simulation) -> None:
    batch_id = sim.submit([*sim.media(1), {"file_id": 9, "s3_key": "gone.mov"}])
    sim.finish_all()
    assert refused(sim, batch_id)["9"][0] == "not_found"
    sim.objects.put("gone.mov", "cold", storage_class="DEEP_ARCHIVE")
    before = sim.batch(batch_id)
    outcome = retry(sim, batch_id)
    assert refused(sim, batch_id)["9"][0] == "archived"
    assert sim.batch(batch_id) == before
    assert isinstance(outcome, Done)
    assert [fact.event for fact in outcome.facts] == ["ignored"]


def test_a_file_refused_while_it_was_copied_is_looked_at_again(sim: Simulation) -> None:
    files = sim.media(3)
    at_call(sim, "writer", "plan.jsonl", act=lambda: sim.objects.buckets["media"].pop(files[0]["s3_key"]))
    batch_id = sim.submit(files)
    sim.finish_all()
    assert set(refused(sim, batch_id)) == {"1"}
    sim.objects.put(files[0]["s3_key"], "back again")
    retry(sim, batch_id)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert sim.answers.bought_once(f"file-{n}:combined" for n in (1, 2, 3))


def test_a_refused_file_whose_result_was_bought_elsewhere_is_not_bought_again(sim: Simulation) -> None:
    first = sim.submit([{"file_id": 1, "s3_key": "late.mov"}], "first")
    assert sim.batch(first).state is BatchState.FAILED
    sim.objects.put("late.mov", "here it is")
    sim.submit([{"file_id": 1, "s3_key": "late.mov"}], "second")
    sim.finish_all()
    retry(sim, first)
    batch = sim.batch(first)
    assert (batch.state, batch.revision) == (BatchState.COMPLETED, 2)
    assert sim.store.count(first).reused == 1
    assert len(sim.jobs.created) == 1


def test_a_second_file_of_the_same_id_stays_refused(sim: Simulation) -> None:
    sim.media(2)
    line = '{"file_id": 1, "s3_key": "proxy_video/Video, %d.mov"}\n'
    sim.objects.put("lists/a.jsonl", line % 1 + line % 2)
    batch_id = sim.submit(None, files_from={"list": "s3://media/lists/a.jsonl"})
    sim.finish_all()
    retry(sim, batch_id)
    assert [code for code, _ in refused(sim, batch_id).values()] == ["duplicate_id"]
    assert sim.batch(batch_id).revision == 1


def test_s3_that_cannot_be_asked_puts_the_retry_off_and_then_refuses_it_with_the_reason(
    sim: Simulation,
) -> None:
    batch_id = sim.submit([*sim.media(1), {"file_id": 9, "s3_key": "gone.mov"}])
    sim.finish_all()
    before = sim.batch(batch_id)
    sim.objects.fail_next("heads", PassingFault("no route to S3"), times=99)
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    for _ in range(6):
        sim.pass_time(3600)
    ((_, answer),) = sim.dead
    assert answer.code == "retry_failed"
    assert "no route to S3" in answer.why
    assert sim.batch(batch_id).state is before.state


# ── the same wish more than once ───────────────────────────────────────────────────────────────


def failed_batch(sim: Simulation) -> str:
    sim.answers.plan("file-1:combined", *[error(400, "no")] * 20)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    return batch_id


def test_a_retry_delivered_twice_buys_once_and_sends_the_same(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    message = RetryBatch(batch_id=batch_id, revision=1)
    first, second = sim.handle(message), sim.handle(message)
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.then == second.then
    assert [fact.event for fact in second.facts] == ["ignored"]
    sim.run()
    sim.finish_all()
    assert sim.answers.bought["file-1:combined"] == 2


def test_a_retry_that_comes_again_after_the_batch_ended_once_more_buys_nothing(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    retry(sim, batch_id, 1)
    sim.finish_all()
    assert sim.batch(batch_id).revision == 2
    retry(sim, batch_id, 1)
    assert (sim.batch(batch_id).revision, sim.answers.bought["file-1:combined"]) == (2, 2)
    retry(sim, batch_id, 2)
    sim.finish_all()
    assert (sim.batch(batch_id).revision, sim.answers.bought["file-1:combined"]) == (3, 3)


def test_a_revision_that_late_output_made_is_no_retry(sim: Simulation) -> None:
    batch_id, unread = with_unread_output(sim)
    sim.post(IngestChunk(chunk_id=unread))
    sim.run()
    assert sim.batch(batch_id).revision == 2
    retry(sim, batch_id, 1)
    sim.finish_all()
    assert sim.answers.bought["file-2:combined"] == 2


def test_a_revision_that_never_was_is_refused_by_both_numbers(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    outcome = retry(sim, batch_id, 7)
    assert isinstance(outcome, Refuse)
    assert outcome.code == "unknown_revision"
    assert '"revision" is 7' in outcome.why
    assert "is at 1" in outcome.why


def test_without_a_revision_a_retry_that_comes_twice_opens_a_batch_once(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    first, second = (sim.handle(RetryBatch(batch_id=batch_id)) for _ in range(2))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert second.then == first.then
    sim.run()
    sim.finish_all()
    assert sim.batch(batch_id).round == 1
    assert sim.answers.bought["file-1:combined"] == 2


def test_two_retries_at_the_same_moment_make_one_round(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    message = RetryBatch(batch_id=batch_id, revision=1)
    before_lease(sim, "batch", act=lambda: sim.handle(message))
    sim.handle(message)
    sim.run()
    sim.finish_all()
    assert sim.batch(batch_id).revision == 2
    assert sim.answers.bought["file-1:combined"] == 2


def test_a_batch_that_somebody_works_on_is_retried_later(sim: Simulation) -> None:
    batch_id = failed_batch(sim)
    held = sim.store.take(Leased.BATCH, batch_id, 60)
    assert held is not None
    assert isinstance(retry(sim, batch_id, 1), Later)
    sim.store.release(held)
    sim.pass_time(60)
    assert sim.batch(batch_id).state is BatchState.RUNNING


def ended_with_troubles(sim: Simulation) -> str:
    """A failed record, an answer not read, and a refused file that came back."""
    sim.small_chunks(1)
    sim.answers.plan("file-2:combined", error(400, "no"))
    batch_id = sim.submit([*sim.media(2), {"file_id": 9, "s3_key": "gone.mov"}])
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    prefix = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=prefix, times=4)
    sim.finish_jobs()
    for _ in range(6):
        sim.pass_time(200)
    sim.objects.put("gone.mov", "back again")
    return batch_id


def what_came_of_it(sim: Simulation, batch_id: str) -> object:
    return (
        sim.batch(batch_id).state,
        sorted(request.name for request in sim.jobs.created),
        dict(sim.answers.bought),
        told(sim, batch_id),
        refused(sim, batch_id),
    )


def test_a_crash_after_any_call_of_a_retry_ends_in_the_same_jobs(simulate: NewSimulation) -> None:
    batch_id = layout.batch_id("r")

    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        ended_with_troubles(sim)
        sim.post(RetryBatch(batch_id=batch_id, revision=1))
        return sim

    def outcome(sim: Simulation) -> object:
        sim.finish_all()
        return what_came_of_it(sim, batch_id)

    crash_everywhere(make, Simulation.run, outcome)


# ── plans cut short ────────────────────────────────────────────────────────────────────────────


def cancelled_while_planned(sim: Simulation, *words: str) -> str:
    """Cancel a batch at a call of its plan."""
    files = sim.media(3)
    batch_id = layout.batch_id("r")
    at_call(sim, *words, act=lambda: sim.handle(CancelBatch(batch_id=batch_id)))
    sim.submit(files)
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    return batch_id


def test_a_batch_cancelled_before_its_first_chunk_cannot_be_retried_and_says_what_to_do(
    sim: Simulation,
) -> None:
    batch_id = cancelled_while_planned(sim, "heads")
    outcome = retry(sim, batch_id, 1)
    assert isinstance(outcome, Refuse)
    assert outcome.code == "never_planned"
    assert "cancelled while it was planned" in outcome.why
    assert "Post the request again under a new request_id" in outcome.why
    assert sim.batch(batch_id).state is BatchState.CANCELLED


def test_a_plan_that_could_not_be_made_is_named_with_its_reason(sim: Simulation) -> None:
    batch_id = sim.submit(
        None, files_from={"list": "s3://media/lists/none.jsonl"}, options={"reuse": "never"}
    )
    outcome = retry(sim, batch_id, 1)
    assert isinstance(outcome, Refuse)
    assert "could not be read" in outcome.why
    assert "reused" not in outcome.why


def half_planned(sim: Simulation) -> str:
    """Cancel a batch of three files of which two have a chunk."""
    batch = new_batch()
    assert sim.store.accept(batch)
    etags = [sim.objects.put(f"proxy/{n}.mov", f"media {n}", size=1000 + n) for n in range(3)]
    held = hold_batch(sim.store, batch.batch_id)
    files = [new_file(n, etag=etag) for n, etag in enumerate(etags)]
    sim.store.plan_files(held, files, {"phase": "cut", "first": 0, "index": 0})
    sim.store.plan_chunks(held, [new_chunk(batch, 0, [0, 1])], {"phase": "cut", "first": 2, "index": 1})
    sim.store.release(held)
    sim.post(CancelBatch(batch_id=batch.batch_id))
    sim.run()
    assert sim.batch(batch.batch_id).state is BatchState.CANCELLED
    return batch.batch_id


def test_of_a_batch_cancelled_half_planned_the_chunks_are_sent_and_the_rest_is_told(sim: Simulation) -> None:
    batch_id = half_planned(sim)
    outcome = retry(sim, batch_id, 1)
    assert isinstance(outcome, Done)
    assert [fact.event for fact in outcome.facts] == ["round_added", "ignored"]
    sim.finish_all()
    assert sim.answers.bought == {"file-1000:combined": 1, "file-1001:combined": 1}
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.COMPLETED_WITH_ERRORS
    assert "cancelled while it was planned" in batch.reason
    assert isinstance(retry(sim, batch_id, 2), Refuse)


def test_a_batch_cancelled_when_its_plan_was_complete_is_retried_as_a_whole(sim: Simulation) -> None:
    batch_id = cancelled_while_planned(sim, "writer", "plan.jsonl")
    retry(sim, batch_id, 1)
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_settled_batch_that_was_retried_tells_its_new_revision(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(400, "no"))
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    retry(sim, batch_id, 1)
    sim.finish_all()
    finished = [event.detail for event in sim.sent if event.name.value == "Batch Finished"]
    assert [(each["revision"], each["state"]) for each in finished] == [
        (1, "COMPLETED_WITH_ERRORS"),
        (2, "COMPLETED"),
    ]
