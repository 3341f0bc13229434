"""A rebuild over what is not as it should be: old plans, stale plans, a backup, what somebody broke."""

import json
from dataclasses import replace

import pytest

from consumers.core import layout
from consumers.core.lifecycle import JOB_ENDS, BatchState, ChunkState
from consumers.core.rows import Leased
from consumers.rebuild import rebuild
from schemas.facts import Ignored
from schemas.messages import PlanBatch, RetryBatch, SubmitBatch, SubmitChunk
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.loss import backup, desk, known_of, lose_and_restore, lose_database, restore
from tests.stages.lots import BATCH, never_measured
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation


def write_as_before(sim: Simulation, key: str) -> None:
    """Leave of a plan what the version before wrote."""
    first, *rest = [json.loads(line) for line in sim.objects.text(key).split("\n") if line]
    known = ("chunk_id", "index", "round", "folder", "job_name", "padding", "files", "records")
    chunks = [{name: line[name] for name in known} for line in rest if "chunk_id" in line]
    lines = [{"request": first["request"]}, *chunks]
    sim.objects.put(key, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def test_a_plan_of_an_older_version_gives_back_what_its_request_names(sim: Simulation) -> None:
    sim.small_chunks(2)
    sim.objects.put("proxy_video/notes.txt", "no media")
    batch_id = sim.submit([*sim.media(4), {"file_id": "n", "s3_key": "proxy_video/notes.txt"}])
    write_as_before(sim, layout.plan_key(batch_id))
    assert lose_and_restore(sim).problems == {}
    assert sim.store.count(batch_id).refused == 1
    sim.finish_all()
    outcomes = sim.outcomes(batch_id)
    assert [name for name, outcome in outcomes.items() if outcome == "REFUSED"] == ["n:None"]
    assert list(outcomes.values()).count("SUCCEEDED") == 20
    assert len(sim.jobs.created) == 2


def test_an_ended_batch_of_an_older_version_is_as_it_was_but_for_sizes_and_estimates(sim: Simulation) -> None:
    sim.objects.put("proxy_video/notes.txt", "no media")
    sim.submit(sim.media(1), "first", analysis_types=["summary"])
    sim.finish_all()
    files = [*sim.media(2), {"file_id": "n", "s3_key": "proxy_video/notes.txt"}]
    batch_id = sim.submit(files, analysis_types=["summary"])
    sim.finish_all()
    before = list(sim.store.result_rows(batch_id)), sim.store.count(batch_id)
    for each in (layout.batch_id("first"), batch_id):
        write_as_before(sim, layout.plan_key(each))
    assert lose_and_restore(sim).problems == {}
    assert (list(sim.store.result_rows(batch_id)), sim.store.count(batch_id)) == before


def test_a_plan_of_an_older_version_that_names_no_file_is_told_with_what_to_do(sim: Simulation) -> None:
    lines = "\n".join(json.dumps(file) for file in sim.media(2))
    sim.objects.put("lists/a.jsonl", lines)
    batch_id = sim.submit(None, files_from={"list": "s3://media/lists/a.jsonl"})
    whole = sim.submit(sim.media(2), "whole")
    write_as_before(sim, layout.plan_key(batch_id))
    problems = lose_and_restore(sim).problems
    assert list(problems) == [batch_id]
    assert "novabatch adopt" in problems[batch_id]
    sim.finish_all()
    assert sim.batch(whole).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 2


def test_an_end_that_was_written_before_another_round_was_planned_is_none(sim: Simulation) -> None:
    """A report that a late output overtook: the batch went on, and its manifest stayed."""
    sim.answers.plan("file-1:summary", error(503))
    batch_id = sim.submit(sim.media(2), analysis_types=["summary"])
    sim.finish_jobs()
    assert sim.batch(batch_id).round == 1
    told = {"state": "COMPLETED_WITH_ERRORS", "revision": 1, "reason": "1 MODEL_ERROR", "round": 0}
    sim.objects.put(layout.manifest_json_key(batch_id), json.dumps(told))
    (arn,) = (arn for arn, report in sim.jobs.reports.items() if report.status not in JOB_ENDS)
    sim.jobs.reports.pop(arn)
    lose_database(sim)
    rebuild(lambda: desk(sim))
    batch = sim.batch(batch_id)
    assert (batch.state, batch.revision, batch.round) == (BatchState.RUNNING, 1, 1)
    assert sim.store.chunk_ids(batch_id)[1][1] is ChunkState.PLANNED


def test_a_broken_plan_costs_no_other_batch(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    broken, bare = layout.batch_id("broken"), layout.batch_id("bare")
    sim.objects.put(layout.plan_key(broken), "{}")
    sim.objects.put(layout.results_key(bare), "")
    before = known_of(sim, batch_id)
    problems = lose_and_restore(sim).problems
    assert set(problems) == {broken, bare}
    assert "line 1" in problems[broken]
    assert "no plan" in problems[bare]
    assert known_of(sim, batch_id) == before


def test_a_backup_of_yesterday_learns_what_was_done_since(sim: Simulation) -> None:
    sim.small_chunks(2)
    sim.answers.plan("file-1:summary", error(503), error(400))
    old = sim.submit(sim.media(4), "old", analysis_types=["summary"])
    yesterday = backup(sim)
    sim.finish_all()
    sim.post(RetryBatch(batch_id=old))
    sim.run()
    new = sim.submit(sim.media(3), "new", analysis_types=["chapters"])
    sim.finish_jobs()
    before = [known_of(sim, each) for each in (old, new)]
    assert [sim.batch(each).state for each in (old, new)] == [BatchState.COMPLETED] * 2
    assert lose_and_restore(sim, yesterday).problems == {}
    assert [known_of(sim, each) for each in (old, new)] == before
    assert len(sim.jobs.created) == 6


def test_a_backup_from_before_its_jobs_buys_none_of_them_again(sim: Simulation) -> None:
    sim.store.pause("*", "not yet", sim.now)
    sim.small_chunks(2)
    batch_id = sim.submit(sim.media(4))
    planned = backup(sim)
    sim.store.resume("*")
    sim.reconcile()
    sim.finish_all()
    before = known_of(sim, batch_id)
    lose_and_restore(sim, planned)
    assert known_of(sim, batch_id) == before
    assert len(sim.jobs.created) == 2


def test_a_batch_that_is_being_restored_is_planned_by_nobody_else(sim: Simulation) -> None:
    sim.small_chunks(1)
    batch_id = sim.submit(sim.media(3))
    lose_database(sim)

    def die() -> None:
        raise Crash

    at_call(sim, "jobs.since", act=lambda: at_call(sim, "objects.lines", act=die))
    with pytest.raises(Crash):
        rebuild(lambda: desk(sim))
    assert sim.batch(batch_id).state is BatchState.PLANNING
    sim.handle(PlanBatch(batch_id=batch_id))
    assert [fact.subject for fact in sim.facts if isinstance(fact, Ignored)] == [batch_id]
    assert sim.batch(batch_id).state is BatchState.PLANNING
    restore(sim)
    assert len(sim.store.chunk_ids(batch_id)) == 3


def test_a_batch_that_somebody_works_on_is_left_alone_and_told(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    held = sim.store.take(Leased.BATCH, batch_id, 60)
    assert held is not None
    assert "works on it" in rebuild(lambda: desk(sim)).problems[batch_id]


def test_a_lost_request_posted_again_is_the_same_batch_after_the_rebuild(sim: Simulation) -> None:
    files = sim.media(2)
    batch_id = sim.submit(files)
    lose_database(sim)
    sim.submit(files)
    assert [refused.code for _, refused in sim.dead] == ["plan_exists"]
    assert "reconcile --rebuild" in sim.dead[0][1].why
    restore(sim)
    sim.submit(files)
    assert len(sim.dead) == 1
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 1


def split_at_once(sim: Simulation) -> None:
    """Let two chunks of a batch be split at the same moment, and the first one die before it tries again."""
    sim.small_chunks(6)
    sim.policy = replace(sim.policy, max_chunk_bytes=20)
    fields = {"request_id": "r", "model": "nova-2-lite", **never_measured(sim.media(12))}
    second = SubmitChunk(chunk_id=f"{BATCH}-001")

    def lose() -> None:
        sim.handle(second)
        raise Crash

    at_call(sim, "objects.writer", layout.split_plan_key(BATCH, 0), "done", act=lose)
    sim.post(SubmitBatch.model_validate(fields))


def test_of_two_plans_with_the_same_numbers_the_one_that_was_staged_counts(simulate: NewSimulation) -> None:
    sim = simulate(lease_seconds=-1)
    split_at_once(sim)
    with pytest.raises(Crash):
        while sim.queue:
            sim.handle(sim.queue.popleft())
    for number in (2, 3, 4):
        sim.handle(SubmitChunk(chunk_id=f"{BATCH}-00{number}"))
    assert len(sim.jobs.created) == 3
    claimed = [sim.planned(layout.split_plan_key(BATCH, n))[0]["index"] for n in (0, 1)]
    assert claimed == [2, 2]
    sim.lease_seconds = 120
    lose_and_restore(sim)
    sim.finish_all()
    sim.reconcile()
    sim.finish_all()
    assert sim.batch(BATCH).state is BatchState.COMPLETED
    assert set(sim.answers.bought.values()) == {1}
    assert len(sim.answers.bought) == 12
