"""Results made anew from raw lines after a result model changed: all of them, as a new revision, unbought."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState, JobStatus
from consumers.core.rows import Leased, Reparse
from schemas.analyses import REGISTRY, Registry
from schemas.events import EventName
from schemas.facts import BatchReparsed, FindingMade
from schemas.messages import ReparseBatch, RetryBatch
from schemas.shapes import Notes
from schemas.shapes.analysis import Analysis
from tests.stages.bedrock_answers import answer, error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere

RESULT = ("result", "outcome", "error", "repaired")


def shout(result: dict[str, Any], _: Notes) -> None:
    result["text"] = result["text"].upper()


def choosy(result: dict[str, Any], _: Notes) -> None:
    raise ValueError("no waterfall is good enough")


def changed(rule: Callable[[dict[str, Any], Notes], None]) -> Registry:
    """A registry whose summaries are read otherwise; what is asked stays the same."""

    def anew(each: Analysis) -> Analysis:
        return replace(each, rules=(*each.rules, rule)) if each.name == "summary" else each

    return Registry(anew(each) for each in REGISTRY)


def bought(sim: Simulation, files: int = 4, **more: Any) -> str:
    """A batch of several chunks: one record was sent twice, one file was refused, one failed for good."""
    sim.small_chunks(2)
    files_ = [*sim.media(files), {"file_id": 99, "s3_key": "gone.mov"}]
    sim.answers.plan("file-2:summary", answer("no JSON"))
    sim.answers.plan("file-3:summary", error(400, "no"))
    batch_id = sim.submit(files_, analysis_types=["summary"], **more)
    sim.finish_all()
    sim.sent.clear()
    return batch_id


def reparse(sim: Simulation, batch_id: str) -> Reparse:
    """Have a batch reparsed; returns what it came to. Nothing may be bought by it."""
    jobs, copies = len(sim.jobs.created), sim.objects.calls.count("copies")
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    assert (len(sim.jobs.created), sim.objects.calls.count("copies")) == (jobs, copies)
    done = sim.batch(batch_id).reparse
    assert done is not None
    return done


def texts(sim: Simulation, batch_id: str) -> dict[Any, str | None]:
    return {line["file_id"]: line["result"] and line["result"]["text"] for line in sim.results(batch_id)}


def part_texts(sim: Simulation, batch_id: str) -> set[str]:
    keys = sim.objects.keys(layout.results_prefix(batch_id) + "part-")
    lines = [json.loads(line) for key in keys for line in sim.objects.text(key).splitlines()]
    return {line["result"]["text"] for line in lines if line["result"]}


def test_a_changed_result_model_makes_all_results_anew_and_creates_no_job(sim: Simulation) -> None:
    batch_id = bought(sim)
    before = sim.results(batch_id)
    sim.analyses = changed(shout)
    assert reparse(sim, batch_id) == Reparse(None, 5, 3, 0, (), sim.now)
    shouted = "A POOL WITH A WATERFALL."
    assert texts(sim, batch_id) == {1: shouted, 2: shouted, 3: None, 4: shouted, 99: None}
    assert part_texts(sim, batch_id) == {shouted}
    same = [name for name in before[0] if name not in RESULT]
    assert [[line[name] for name in same] for line in sim.results(batch_id)] == [
        [line[name] for name in same] for line in before
    ]


def test_a_reparse_sends_a_new_revision_with_its_manifest(sim: Simulation) -> None:
    batch_id = bought(sim)
    sim.analyses = changed(shout)
    reparse(sim, batch_id)
    [event] = sim.sent
    assert (event.name, event.detail["revision"]) == (EventName.BATCH_FINISHED, 2)
    manifest = json.loads(sim.objects.text(layout.manifest_json_key(batch_id)))
    assert {name: manifest[name] for name in event.detail if name != "manifest_uri"} == {
        name: value for name, value in event.detail.items() if name != "manifest_uri"
    }
    assert (sim.batch(batch_id).state, sim.batch(batch_id).revision) == (BatchState.COMPLETED_WITH_ERRORS, 2)


def test_where_nothing_changed_the_revision_stays_and_it_is_said(sim: Simulation) -> None:
    batch_id = bought(sim)
    before = sim.batch(batch_id)
    written = sim.objects.calls.count("writer")
    assert reparse(sim, batch_id).changed == 0
    assert sim.objects.calls.count("writer") == written
    after = sim.batch(batch_id)
    assert replace(after, reparse=None) == before
    assert BatchReparsed(batch_id, 1, 5, 0, 0) in sim.facts
    assert [event.detail["revision"] for event in sim.sent] == [1]


def test_what_fails_by_the_new_model_ends_the_batch_otherwise_and_is_not_bought(sim: Simulation) -> None:
    batch_id = bought(sim)
    before = sim.store.count(batch_id)
    sim.analyses = changed(choosy)
    reparse(sim, batch_id)
    sim.reconcile()
    assert sim.batch(batch_id).state is BatchState.FAILED
    assert sim.outcomes(batch_id)["1:summary"] == "UNPARSABLE"
    count = sim.store.count(batch_id)
    assert (count.spent, count.padding, count.superseded) == (
        before.spent,
        before.padding,
        before.superseded,
    )
    sim.analyses = REGISTRY
    reparse(sim, batch_id)
    assert sim.batch(batch_id).state is BatchState.COMPLETED_WITH_ERRORS
    assert (sim.batch(batch_id).revision, len(sim.jobs.created)) == (3, 3)


def test_an_attempt_that_is_readable_now_takes_the_place_of_a_failed_one(sim: Simulation) -> None:
    sim.analyses = changed(choosy)
    sim.policy = replace(sim.policy, max_attempts=2)
    sim.answers.plan("file-1:summary", answer('{"text": "A pond."}'), answer("no JSON"))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.FAILED
    sim.analyses = REGISTRY
    reparse(sim, batch_id)
    line = next(line for line in sim.results(batch_id) if line["file_id"] == 1)
    assert (line["outcome"], line["attempt"], line["result"]["text"]) == ("SUCCEEDED", 1, "A pond.")
    assert sim.batch(batch_id).state is BatchState.COMPLETED


@pytest.mark.parametrize("by", ["batch_id", "request_id"])
def test_a_batch_that_runs_is_refused_by_name(sim: Simulation, by: str) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.post(ReparseBatch.model_validate({by: batch_id if by == "batch_id" else "r"}))
    sim.run()
    (_, refused) = sim.dead[-1]
    assert refused.code == "batch_not_ended"
    assert f"{batch_id} is RUNNING" in refused.why


def test_an_unknown_batch_is_refused_by_name(sim: Simulation) -> None:
    sim.post(ReparseBatch(request_id="nobody"))
    sim.run()
    (_, refused) = sim.dead[-1]
    assert (refused.code, "nobody" in refused.why) == ("unknown_batch", True)


def test_a_batch_that_somebody_works_on_is_reparsed_later(sim: Simulation) -> None:
    batch_id = bought(sim)
    held = sim.store.take(Leased.BATCH, batch_id, 60)
    assert held is not None
    sim.analyses = changed(shout)
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    assert sim.batch(batch_id).revision == 1
    sim.store.release(held)
    sim.pass_time(60)
    assert sim.batch(batch_id).revision == 2


def test_a_chunk_whose_raw_lines_are_gone_stays_as_it_is_and_is_named(sim: Simulation) -> None:
    batch_id = bought(sim)
    gone = layout.raw_key(batch_id, 0)
    sim.objects.buckets["media"].pop(gone)
    sim.analyses = changed(shout)
    done = reparse(sim, batch_id)
    assert (done.left, done.why_left) == (1, (f"chunk {batch_id}-000: {gone} is gone",))
    calm, loud = "A pool with a waterfall.", "A POOL WITH A WATERFALL."
    assert texts(sim, batch_id) == {1: calm, 2: loud, 3: None, 4: loud, 99: None}


def test_a_chunk_whose_output_could_not_be_read_is_left_to_its_reading(sim: Simulation) -> None:
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    output = layout.output_prefix(chunk.folder)
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=output, times=4)
    sim.finish_jobs()
    for _ in range(5):
        sim.pass_time(200)
    sim.analyses = changed(shout)
    done = reparse(sim, batch_id)
    assert done.why_left == (f"chunk {batch_id}-000: its output could not be read yet",)
    sim.pass_time(3600)
    sim.reconcile()
    assert set(texts(sim, batch_id).values()) == {"A POOL WITH A WATERFALL."}


def test_results_that_are_linked_from_another_batch_are_made_anew_by_its_raw_lines(sim: Simulation) -> None:
    files = sim.media(3)
    first = sim.submit(files, "first", analysis_types=["summary"])
    sim.finish_all()
    second = sim.submit([*files, {**files[0], "file_id": "again"}], "second", analysis_types=["summary"])
    sim.finish_all()
    assert not sim.store.chunk_ids(second)
    sim.analyses = changed(shout)
    assert reparse(sim, second) == Reparse(None, 4, 4, 0, (), sim.now)
    loud = "A POOL WITH A WATERFALL."
    assert texts(sim, second) == {1: loud, 2: loud, 3: loud, "again": loud}
    assert set(texts(sim, first).values()) == {"A pool with a waterfall."}
    assert all(line["reused_from"] and line["cost_usd"] == "0" for line in sim.results(second))


def test_a_link_that_would_lose_its_result_keeps_it(sim: Simulation) -> None:
    first = sim.submit(sim.media(1), "first", analysis_types=["summary"])
    sim.finish_all()
    second = sim.submit(sim.media(1), "second", analysis_types=["summary"])
    sim.analyses = changed(choosy)
    done = reparse(sim, second)
    assert done.why_left == (f"result of {first}/0/summary/1: its raw line gives no result now",)
    assert (sim.batch(second).state, sim.batch(second).revision) == (BatchState.COMPLETED, 1)
    sim.objects.buckets["media"].pop(layout.raw_key(first, 0))
    done = reparse(sim, second)
    assert done.why_left == (f"result of {first}/0/summary/1: {layout.raw_key(first, 0)} is gone",)


def test_a_fault_in_the_middle_is_counted_and_the_reparse_goes_on_where_it_was(sim: Simulation) -> None:
    batch_id = bought(sim)
    sim.analyses = changed(shout)
    last = layout.raw_key(batch_id, 1)
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject=last)
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    half = sim.batch(batch_id)
    assert half.reparse is not None
    assert (half.revision, half.reparse.next, half.failures) == (1, 1, {"reparse": 1})
    first = layout.raw_key(batch_id, 0)
    reads = sim.objects.calls.log.count(("lines", first))
    sim.pass_time(60)
    done = sim.batch(batch_id)
    assert (done.revision, done.reparse, done.failures) == (2, Reparse(None, 5, 3, 0, (), sim.now), {})
    assert sim.objects.calls.log.count(("lines", first)) == reads


def test_a_reparse_that_keeps_failing_is_found_and_woken_hourly(sim: Simulation) -> None:
    batch_id = bought(sim)
    sim.analyses = changed(shout)
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject="raw/", times=6)
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    for _ in range(4):
        sim.pass_time(900)
    assert [fact.kind for fact in sim.facts if isinstance(fact, FindingMade)] == ["reparse_failing"]
    for _ in range(3):
        sim.pass_time(3600)
        sim.reconcile()
    assert sim.batch(batch_id).revision == 2


def test_output_that_is_read_late_in_the_middle_of_a_reparse_is_not_lost(sim: Simulation) -> None:
    sim.small_chunks(1)
    sim.min_records = 1
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    chunk = sim.store.chunk(layout.chunk_id(batch_id, 0))
    assert chunk is not None
    sim.objects.fail_next("list", PassingFault("x"), subject=layout.output_prefix(chunk.folder), times=4)
    sim.finish_jobs()
    for _ in range(5):
        sim.pass_time(200)
    sim.pass_time(3600)
    sim.analyses = changed(shout)
    late = next(message for message in sim.log if getattr(message, "chunk_id", "") == chunk.chunk_id)
    at_call(sim, "writer", "results.jsonl", act=lambda: sim.handle(type(late)(chunk_id=chunk.chunk_id)))
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    for _ in range(3):
        sim.pass_time(3600)
        sim.reconcile()
    assert set(texts(sim, batch_id).values()) == {"A POOL WITH A WATERFALL."}
    batch = sim.batch(batch_id)
    assert batch.state is BatchState.COMPLETED
    assert batch.reparse is not None
    assert batch.reparse.next is None


def test_a_batch_that_is_retried_before_its_reparse_goes_on_ends_with_both(sim: Simulation) -> None:
    batch_id = bought(sim)
    sim.analyses = changed(shout)
    sim.objects.fail_next("lines", PassingFault("broken pipe"), subject=layout.raw_key(batch_id, 1))
    sim.post(ReparseBatch(batch_id=batch_id))
    sim.run()
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    sim.pass_time(60)
    assert not sim.dead
    sim.finish_all()
    sim.pass_time(3600)
    sim.reconcile()
    assert set(texts(sim, batch_id).values()) == {"A POOL WITH A WATERFALL.", None}
    assert [*texts(sim, batch_id).values()].count(None) == 1
    done = sim.batch(batch_id).reparse
    assert done is not None
    assert done.next is None


def many_things(sim: Simulation) -> str:
    sim.submit(sim.media(1, first=7), "before", analysis_types=["summary"])
    sim.finish_all()
    return bought(sim, files=7)


def one_chunk(sim: Simulation) -> str:
    batch_id = sim.submit(sim.media(1), analysis_types=["summary"])
    sim.finish_all()
    sim.sent.clear()
    return batch_id


@pytest.mark.parametrize("batch", [many_things, one_chunk])
def test_a_crash_anywhere_in_a_reparse_ends_in_the_same_results(
    simulate: NewSimulation, batch: Callable[[Simulation], str]
) -> None:
    batch_id = layout.batch_id("r")

    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        assert batch(sim) == batch_id
        sim.analyses = changed(shout)
        sim.post(ReparseBatch(batch_id=batch_id))
        return sim

    def outcome(sim: Simulation) -> object:
        done = sim.batch(batch_id)
        return (
            (done.state, done.revision, done.reparse and done.reparse.next),
            sim.results(batch_id),
            sim.objects.text(layout.manifest_json_key(batch_id)),
            [sim.objects.text(key) for key in sim.objects.keys(layout.results_prefix(batch_id) + "part-")],
            {event.detail["revision"] for event in sim.sent},
            len(sim.jobs.created),
        )

    crash_everywhere(make, Simulation.run, outcome)


def test_jobs_that_left_no_output_have_nothing_to_read_again(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs(JobStatus.FAILED, output=False, message="Access denied to the S3 location")
    done = reparse(sim, batch_id)
    assert (done.records, done.changed, done.left) == (0, 0, 0)
