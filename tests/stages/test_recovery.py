"""What failed on the way to a step that was taken since does not count at the next one."""

import pytest

from consumers.core import layout
from consumers.core.faults import LeaseLost, PassingFault
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.world import Done, Later, Refuse
from schemas.facts import FINDING_KINDS, FindingMade
from schemas.messages import RetryBatch
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.lots import BATCH, the_chunk
from tests.stages.moments import at_call
from tests.stages.simulation import Simulation

RESET = PassingFault("connection reset")


def hours(sim: Simulation, count: int) -> None:
    """Let hours go by with a reconciler at work."""
    for _ in range(count):
        sim.pass_time(3600)
        sim.reconcile()


def test_a_chunk_that_was_ready_once_has_all_its_tries_when_it_is_looked_at_again(
    simulate: NewSimulation,
) -> None:
    sim = simulate(slots=1, min_records=1)
    sim.submit(sim.media(1), "other")
    sim.objects.fail_next("copies", RESET, subject="Video, 5.mov", times=4)
    sim.submit(sim.media(1, first=5))
    hours(sim, 5)
    assert the_chunk(sim).state is ChunkState.READY
    sim.pass_time(25 * 3600)
    sim.objects.fail_next("list", RESET, subject=the_chunk(sim).folder)
    sim.finish_jobs()
    assert the_chunk(sim).state is ChunkState.PREPARING
    hours(sim, 1)
    sim.finish_all()
    assert sim.batch(BATCH).state is BatchState.COMPLETED


def test_a_retry_has_all_its_tries_although_the_last_one_was_given_up(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(400, "no"))
    gone = {"file_id": "gone", "s3_key": "gone.mov"}
    batch_id = sim.submit([*sim.media(1), gone])
    sim.finish_all()
    sim.objects.fail_next("heads", RESET, subject="gone.mov", times=6)
    answers = [sim.handle(RetryBatch(batch_id=batch_id)) for _ in range(7)]
    sim.later.clear()
    kinds = [type(answer) for answer in answers]
    assert kinds == [Later, Later, Later, Later, Refuse, Later, Done]
    sim.run()
    sim.finish_all()
    assert {line["file_id"]: line["outcome"] for line in sim.results(batch_id)} == {
        1: "SUCCEEDED",
        "gone": "REFUSED",
    }


def test_a_retry_that_found_nothing_to_do_leaves_the_next_one_all_its_tries(sim: Simulation) -> None:
    batch_id = sim.submit([*sim.media(1), {"file_id": "gone", "s3_key": "gone.mov"}])
    sim.finish_all()
    for _ in range(2):
        sim.objects.fail_next("heads", RESET, subject="gone.mov", times=4)
        answers = [sim.handle(RetryBatch(batch_id=batch_id)) for _ in range(5)]
        assert [type(answer) for answer in answers] == [Later, Later, Later, Later, Done]


def test_a_long_plan_has_all_its_tries_at_each_of_its_steps(sim: Simulation) -> None:
    lines = "\n".join(f'{{"file_id": {n}, "s3_key": "a/{n}.mov"}}' for n in range(5000))
    sim.objects.put("lists/a.jsonl", lines)
    seen: list[str] = []

    def strike(call: str) -> None:
        if call.startswith("objects.list a/"):
            seen.append(call)
            if len(seen) % 2:
                raise RESET

    sim.on_call = strike
    sim.submit(None, files_from={"list": "s3://media/lists/a.jsonl"})
    for _ in range(5):
        sim.pass_time(10)
    assert len(seen) == 10
    assert sim.batch(BATCH).state is not BatchState.PLANNING
    assert not sim.batch(BATCH).failures


@pytest.mark.parametrize("answers", [0, 1])
def test_a_settlement_that_succeeded_at_last_leaves_the_next_one_all_its_tries(
    sim: Simulation, answers: int
) -> None:
    """It ends the batch, or makes another round of it."""
    subject = "plan-r1.jsonl" if answers else "results.jsonl"
    sim.answers.plan("file-1:combined", *[error(503)] * answers)
    sim.objects.fail_next("writer", RESET, subject=subject, times=4)
    batch_id = sim.submit(sim.media(2))
    sim.finish_jobs()
    assert sim.batch(batch_id).failures == {"settle": 1}
    for _ in range(4):
        sim.pass_time(100)
    assert sim.batch(batch_id).failures == {}
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_output_that_was_read_is_not_given_up_because_it_cannot_be_read_once_more(sim: Simulation) -> None:
    part = layout.part_key(BATCH, 0)
    sim.objects.fail_next("writer", RESET, subject=part)
    at_call(sim, f"objects.writer {part}", act=lambda: sim.objects.fail_next("lines", RESET, times=8))
    sim.submit(sim.media(2))
    sim.finish_jobs()
    hours(sim, 12)
    assert the_chunk(sim).state is ChunkState.COMPLETED
    assert part in sim.objects.keys(layout.results_prefix(BATCH))
    told = {fact.kind for fact in sim.facts if isinstance(fact, FindingMade)}
    assert told == {"fetch_failing"} <= set(FINDING_KINDS)
    assert sim.batch(BATCH).state is BatchState.COMPLETED


def test_a_stop_in_the_middle_of_work_counts_as_no_failure(simulate: NewSimulation) -> None:
    """S10: however often a process is asked to stop, the row has all its tries."""
    sim = simulate(lease_seconds=-1)
    stops = ["stop"] * 12

    def stop(call: str) -> None:
        if call == "checkpoint" and stops:
            stops.pop()
            raise LeaseLost("the process stops")

    sim.on_call = stop
    sim.submit(sim.media(2))
    for _ in range(20):
        sim.pass_time(600)
        sim.reconcile()
    assert not stops
    sim.finish_all()
    assert sim.batch(BATCH).state is BatchState.COMPLETED
    assert not [fact for fact in sim.facts if isinstance(fact, FindingMade)]
