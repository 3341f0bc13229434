"""Chunks that turn out too large: their records go into new chunks, whatever happens meanwhile."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState, ChunkState
from schemas.facts import ChunkMoved
from schemas.messages import CancelBatch, CleanupChunk, SubmitBatch, SubmitChunk
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.lots import BATCH, copies_in, lose, never_measured, refusals, succeeded, the_chunk
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere


def too_large(sim: Simulation, files: int = 6) -> None:
    """Post a batch whose files are seven times as large as the sender says: two fill a chunk."""
    sim.policy = replace(sim.policy, max_chunk_bytes=20)
    sim.post(request(sim, files))


def request(sim: Simulation, files: int) -> Any:
    fields = {"request_id": "r", "model": "nova-2-lite", **never_measured(sim.media(files))}
    return SubmitBatch.model_validate(fields)


def test_a_chunk_that_turned_out_too_large_is_split(sim: Simulation) -> None:
    too_large(sim)
    sim.run()
    states = [state for _, state in sim.store.chunk_ids(BATCH)]
    assert states == [ChunkState.CANCELLED, *[ChunkState.SUBMITTED] * 3]
    reason = the_chunk(sim).reason
    assert reason.startswith("SPLIT: ")
    assert all(word in reason for word in ("42 bytes", "20", f"{BATCH}-001", f"{BATCH}-003"))
    assert [copies_in(sim, n) for n in (1, 2, 3)] == [
        ["Video_1.mov", "Video_2.mov"],
        ["Video_3.mov", "Video_4.mov"],
        ["Video_5.mov", "Video_6.mov"],
    ]
    assert not copies_in(sim, 0)
    sim.finish_all()
    assert succeeded(sim) == {1, 2, 3, 4, 5, 6}
    assert sim.batch(BATCH).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 3
    assert not sim.temporary_keys()


def test_the_plan_of_the_new_chunks_stands_in_s3_before_they_do(sim: Simulation) -> None:
    too_large(sim)
    key = layout.split_plan_key(BATCH, 0)
    before: list[int] = []
    at_call(sim, "objects.writer", key, act=lambda: before.append(len(sim.store.chunk_ids(BATCH))))
    sim.run()
    assert before == [1]
    planned = sim.planned(key)
    assert [chunk["chunk_id"] for chunk in planned] == [f"{BATCH}-00{n}" for n in (1, 2, 3)]
    assert [sorted(chunk["files"]) for chunk in planned] == [["0", "1"], ["2", "3"], ["4", "5"]]
    jobs = {request.name for request in sim.jobs.created}
    assert jobs == {chunk["job_name"] for chunk in planned}


def test_a_split_chunk_says_so_once_and_its_folder_is_cleaned(sim: Simulation) -> None:
    too_large(sim)
    sim.run()
    moved = [fact for fact in sim.facts if isinstance(fact, ChunkMoved) and fact.state == "CANCELLED"]
    assert [fact.chunk_id for fact in moved] == [f"{BATCH}-000"]
    assert the_chunk(sim).cleaned_at is not None
    sim.post(SubmitChunk(chunk_id=f"{BATCH}-000"))
    sim.run()
    assert len([fact for fact in sim.facts if isinstance(fact, ChunkMoved)]) == len(
        {(fact.chunk_id, fact.state) for fact in sim.facts if isinstance(fact, ChunkMoved)}
    )


def test_the_reconciler_sees_to_a_split_chunk_that_nobody_cleaned(sim: Simulation) -> None:
    too_large(sim)
    sim.objects.fail_next("delete", PassingFault("reset"))
    sim.run()
    sim.later = [(when, message) for when, message in sim.later if not isinstance(message, CleanupChunk)]
    assert the_chunk(sim).cleaned_at is None
    sim.pass_time(60)
    sim.reconcile()
    assert the_chunk(sim).cleaned_at is not None


def test_one_file_over_the_limit_of_a_chunk_is_refused_rather_than_split(sim: Simulation) -> None:
    sim.policy = replace(sim.policy, max_chunk_bytes=20)
    files = sim.media(3)
    sim.objects.put("proxy_video/Video, 1.mov", "x" * 21)
    sim.submit(**never_measured(files))
    sim.finish_all()
    code, reason = refusals(sim)[1]
    assert code == "too_large"
    assert "20 bytes a file (NOVABATCH_MAX_CHUNK_BYTES)" in reason
    assert [state for _, state in sim.store.chunk_ids(BATCH)] == [ChunkState.COMPLETED]


def test_a_limit_lowered_after_the_plan_splits_what_is_staged_under_it(simulate: NewSimulation) -> None:
    sim = simulate(slots=1)
    sim.policy = replace(sim.policy, stage_ahead=0)
    sim.small_chunks(4)
    sim.submit(sim.media(8))
    sim.policy = replace(sim.policy, max_chunk_bytes=20)
    planned_at = sim.now
    sim.pass_time(3 * 3600)
    sim.finish_all()
    assert the_chunk(sim, 3).created_at == planned_at
    assert len(succeeded(sim)) == 8
    assert [state for _, state in sim.store.chunk_ids(BATCH)].count(ChunkState.CANCELLED) == 1


def test_two_chunks_of_a_batch_that_are_split_at_once_take_different_numbers(sim: Simulation) -> None:
    sim.small_chunks(6)
    too_large(sim, files=12)
    second = SubmitChunk(chunk_id=f"{BATCH}-001")
    at_call(sim, "objects.writer", layout.split_plan_key(BATCH, 0), "done", act=lambda: sim.handle(second))
    sim.run()
    sim.finish_all()
    assert len(succeeded(sim)) == 12
    states = [state for _, state in sim.store.chunk_ids(BATCH)]
    assert states == [ChunkState.CANCELLED] * 2 + [ChunkState.COMPLETED] * 6
    planned = [
        chunk["chunk_id"] for index in (0, 1) for chunk in sim.planned(layout.split_plan_key(BATCH, index))
    ]
    assert sorted(planned) == [f"{BATCH}-{n:03}" for n in range(2, 8)]


def test_a_cancel_in_the_middle_of_a_split_leaves_nothing_to_buy(sim: Simulation) -> None:
    too_large(sim)
    key = layout.split_plan_key(BATCH, 0)
    at_call(sim, "objects.writer", key, "done", act=lambda: sim.handle(CancelBatch(request_id="r")))
    sim.run()
    assert [state for _, state in sim.store.chunk_ids(BATCH)] == [ChunkState.CANCELLED]
    assert sim.batch(BATCH).state is BatchState.CANCELLED
    assert {line["outcome"] for line in sim.results(BATCH)} == {"CANCELLED"}
    assert not sim.jobs.created


def test_where_a_canary_is_split_the_next_chunk_in_line_takes_its_place(sim: Simulation) -> None:
    sim.small_chunks(3)
    sim.policy = replace(sim.policy, max_chunk_bytes=20, canary_chunks=1)
    files = sim.media(9)
    for file in files[3:]:
        sim.objects.put(file["s3_key"], "m")
    sim.submit(**never_measured(files))
    assert [state for _, state in sim.store.chunk_ids(BATCH)] == [
        ChunkState.CANCELLED,
        ChunkState.SUBMITTED,
        *[ChunkState.PLANNED] * 3,
    ]
    sim.finish_all()
    assert len(succeeded(sim)) == 9


def what_came_of_it(sim: Simulation) -> object:
    return (
        sim.batch(BATCH).state,
        [(chunk_id, state) for chunk_id, state in sim.store.chunk_ids(BATCH)],
        sorted((line["file_id"], line["outcome"], line["attempt"]) for line in sim.results(BATCH)),
        sim.store.count(BATCH),
        sorted(request.name for request in sim.jobs.created),
        dict(sim.answers.bought),
        sim.objects.keys(),
    )


def strange_files(sim: Simulation) -> None:
    """Three files larger than they were said to be, one gone from S3, one that is nowhere."""
    sim.policy = replace(sim.policy, max_chunk_bytes=25)
    told = never_measured(sim.media(5))
    lose(sim, 4)
    lose(sim, 5)
    sim.local.files["proxies/4.mov"] = b"from disk"
    told["files"][3]["local_path"] = "proxies/4.mov"
    sim.post(SubmitBatch.model_validate({"request_id": "r", "model": "nova-2-lite", **told}))


def test_a_crash_anywhere_in_a_split_ends_in_the_same_rows_and_jobs(simulate: NewSimulation) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = simulate(lease_seconds=lease_seconds)
        strange_files(sim)
        return sim

    def outcome(sim: Simulation) -> object:
        sim.finish_all()
        assert the_chunk(sim).state is ChunkState.CANCELLED
        return what_came_of_it(sim)

    crash_everywhere(make, Simulation.run, outcome)


@pytest.mark.parametrize("times", [2, 3])
def test_every_message_of_a_split_delivered_again_changes_nothing(
    simulate: NewSimulation, times: int
) -> None:
    sim = simulate()
    strange_files(sim)
    sim.run()
    sim.finish_all()
    expected = what_came_of_it(sim)
    sim = simulate()
    sim.deliveries = times
    strange_files(sim)
    sim.run()
    sim.finish_all()
    assert what_came_of_it(sim) == expected


def test_a_chunk_of_a_later_round_is_split_like_any_other(simulate: NewSimulation) -> None:
    sim = simulate()
    for number in range(1, 5):
        sim.answers.plan(f"file-{number}:combined", error(503))
    sim.submit(sim.media(4))

    def grow() -> None:
        for number in range(1, 5):
            sim.objects.put(f"proxy_video/Video, {number}.mov", "x" * 12)

    sim.policy = replace(sim.policy, max_chunk_bytes=30)
    grow()
    sim.finish_all()
    assert succeeded(sim) == {1, 2, 3, 4}
    assert {line["attempt"] for line in sim.results(BATCH)} == {2}
    assert [(the_chunk(sim, n).round, the_chunk(sim, n).state) for n in range(4)] == [
        (0, ChunkState.COMPLETED),
        (1, ChunkState.CANCELLED),
        (1, ChunkState.COMPLETED),
        (1, ChunkState.COMPLETED),
    ]


def test_what_a_split_chunk_may_cost_is_told_by_the_sizes_that_were_found(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1)
    sim.policy = replace(sim.policy, max_chunk_bytes=6_000_000)
    files = sim.media(4)
    for file in files:
        sim.objects.put(file["s3_key"], "x" * 3_000_000)
    sim.submit(**never_measured(files))
    sim.submit(files, "measured")
    other = [sim.store.chunk(layout.chunk_id(layout.batch_id("measured"), n)) for n in (0, 1)]
    assert [the_chunk(sim, n).estimate_usd for n in (1, 2)] == [each.estimate_usd for each in other if each]
