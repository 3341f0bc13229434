"""The first chunks of a batch go ahead; the others start only when those succeeded well enough."""

from dataclasses import replace

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Leased
from schemas.facts import BuyingStopped, CanaryReleased
from schemas.messages import RetryBatch, SettleBatch, SubmitChunk
from tests.contracts.planting import hold
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation
from tests.stages.sweeps import crash_everywhere


def with_canary(
    simulate: NewSimulation, chunks: int = 1, ratio: float = 0.8, **settings: float
) -> Simulation:
    """Two files a chunk; the first chunks of each batch go ahead."""
    sim = simulate(min_records=1, **settings)
    sim.policy = replace(sim.policy, canary_chunks=chunks, min_success_ratio=ratio)
    sim.small_chunks(2)
    return sim


def fail(sim: Simulation, *file_ids: int) -> None:
    for file_id in file_ids:
        sim.answers.plan(f"file-{file_id}:summary", error(400, "not this"))


def post(sim: Simulation, files: int, request_id: str = "r", first: int = 1) -> str:
    return sim.submit(sim.media(files, first=first), request_id, analysis_types=["summary"])


def test_a_bad_prompt_on_many_files_buys_one_chunk(simulate: NewSimulation) -> None:
    sim = with_canary(simulate)
    fail(sim, *range(1, 21))
    batch_id = post(sim, 20)
    assert len(sim.jobs.created) == 1
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    ended = sim.batch(batch_id)
    assert ended.state is BatchState.FAILED
    outcomes = list(sim.outcomes(batch_id).values())
    assert (outcomes.count("MODEL_ERROR"), outcomes.count("NOT_BOUGHT")) == (2, 18)
    assert "Of the 2 records" in ended.reason
    assert "0 succeeded" in ended.reason
    assert "0.8" in ended.reason
    assert f"novabatch retry {batch_id}" in ended.reason
    assert sim.sent[-1].detail["reason"] == ended.reason
    assert [type(fact) for fact in sim.facts if isinstance(fact, BuyingStopped | CanaryReleased)] == [
        BuyingStopped
    ]


def test_after_a_good_canary_all_chunks_go_at_once(simulate: NewSimulation) -> None:
    sim = with_canary(simulate)
    batch_id = post(sim, 20)
    assert len(sim.jobs.created) == 1
    sim.finish_jobs()
    assert len(sim.jobs.created) == 10
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert [fact for fact in sim.facts if isinstance(fact, CanaryReleased)] == [
        CanaryReleased(batch_id, 2, 2)
    ]


@pytest.mark.parametrize(("ratio", "jobs"), [(0.75, 4), (0.76, 2)])
def test_the_ratio_counts_all_records_of_all_canaries(
    simulate: NewSimulation, ratio: float, jobs: int
) -> None:
    sim = with_canary(simulate, chunks=2, ratio=ratio)
    fail(sim, 4)
    post(sim, 8)
    assert len(sim.jobs.created) == 2
    sim.finish_all()
    assert len(sim.jobs.created) == jobs


@pytest.mark.parametrize("files", [1, 2, 4])
def test_a_batch_of_no_more_chunks_than_canaries_just_goes(simulate: NewSimulation, files: int) -> None:
    sim = with_canary(simulate, chunks=2)
    fail(sim, *range(1, 9))
    batch_id = post(sim, files)
    assert sim.batch(batch_id).canary is None
    sim.finish_all()
    assert set(sim.outcomes(batch_id).values()) == {"MODEL_ERROR"}


def test_a_retry_of_what_a_canary_stopped_sends_the_rest_at_once(simulate: NewSimulation) -> None:
    sim = with_canary(simulate)
    fail(sim, 1, 2)
    batch_id = post(sim, 20)
    sim.finish_all()
    sim.post(RetryBatch(batch_id=batch_id))
    sim.run()
    assert len(sim.jobs.created) == 1 + 10
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_canary_keeps_no_other_batch_waiting(simulate: NewSimulation) -> None:
    sim = with_canary(simulate, slots=3)
    first = post(sim, 20, "first")
    post(sim, 2, "second", first=50)
    post(sim, 20, "third", first=60)
    assert sorted(request.name.split("-")[1] for request in sim.jobs.created) == sorted(
        layout.batch_id(name)[1:7] for name in ("first", "second", "third")
    )
    sim.post(SubmitChunk(chunk_id=layout.chunk_id(first, 1)))
    sim.run()
    assert len(sim.jobs.created) == 3


def test_a_canary_whose_files_were_all_refused_lets_the_others_go(simulate: NewSimulation) -> None:
    sim = with_canary(simulate)
    files = sim.media(6)
    sim.store.pause("*", "until the files are gone", sim.now)
    batch_id = sim.submit(files, analysis_types=["summary"])
    for file in files[:2]:
        sim.objects.buckets["media"].pop(file["s3_key"])
    sim.store.resume("*")
    sim.reconcile()
    sim.finish_all()
    assert list(sim.outcomes(batch_id).values()).count("SUCCEEDED") == 4


def test_a_word_on_a_canary_that_was_never_heard_is_asked_for_by_the_reconciler(
    simulate: NewSimulation,
) -> None:
    sim = with_canary(simulate)
    batch_id = post(sim, 6)
    held = hold(sim.store, Leased.BATCH, batch_id)
    sim.finish_jobs()
    assert len(sim.jobs.created) == 1
    sim.store.release(held)
    sim.reconcile()
    assert len(sim.jobs.created) == 3


@pytest.mark.parametrize("bad", [False, True])
def test_a_crash_anywhere_around_a_canary_ends_in_the_same_rows(
    simulate: NewSimulation, *, bad: bool
) -> None:
    def make(lease_seconds: float) -> Simulation:
        sim = with_canary(simulate, lease_seconds=lease_seconds)
        sim.policy = replace(sim.policy, cleanup_after_success=False)
        fail(sim, *([1, 2] if bad else []))
        post(sim, 4)
        return sim

    def outcome(sim: Simulation) -> object:
        for _ in range(2):
            sim.pass_time(100)
            sim.reconcile()
            sim.finish_all()
        ended = sim.batch(layout.batch_id("r"))
        return ended.state, ended.stopped, sim.outcomes(ended.batch_id), len(sim.jobs.created)

    crash_everywhere(make, Simulation.finish_jobs, outcome)


def test_a_release_cut_short_wakes_the_others_when_its_message_comes_again(simulate: NewSimulation) -> None:
    sim = with_canary(simulate)
    batch_id = post(sim, 6)
    sim.store.pause("*", "so that nothing is woken", sim.now)
    sim.finish_jobs()
    assert sim.batch(batch_id).canary is None
    sim.store.resume("*")
    sim.post(SettleBatch(batch_id=batch_id))
    sim.run()
    assert len(sim.jobs.created) == 3
