"""An account that others use too, a Bedrock that forgets, a message delivered to two processes at once."""

from datetime import timedelta

from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BatchState
from schemas.facts import SlotsBlocked
from schemas.messages import SubmitChunk
from tests.stages.conftest import NewSimulation
from tests.stages.lots import the_chunk
from tests.stages.moments import at_call
from tests.stages.simulation import Crash, Simulation

SLOTS = 4
MINUTE = timedelta(minutes=1).total_seconds()


def crowded(simulate: NewSimulation, foreign: int) -> Simulation:
    """An account in which others have jobs open."""
    sim = simulate(slots=SLOTS, min_records=1)
    sim.small_chunks(1)
    sim.jobs.foreign = foreign
    return sim


def minutes(sim: Simulation, number: int) -> None:
    """Let time go by as the reconciler lives it; no message is put off, each is dealt with at once."""
    for _ in range(number):
        sim.pass_time(MINUTE)
        sim.reconcile()
        assert not sim.later


def test_a_quota_that_others_use_up_for_an_hour_is_probed_and_costs_no_message_a_receive(
    simulate: NewSimulation,
) -> None:
    sim = crowded(simulate, foreign=SLOTS)
    batch_id = sim.submit(sim.media(8))
    minutes(sim, 60)
    probes = sim.jobs.calls.count("create")
    assert 6 <= probes <= 12
    assert not sim.jobs.created
    assert not sim.dead
    assert {fact.model for fact in sim.facts if isinstance(fact, SlotsBlocked)} == {the_chunk(sim).model}
    sim.jobs.foreign = 0
    minutes(sim, 11)
    assert len(sim.jobs.created) == SLOTS
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 8


def test_what_others_leave_of_the_quota_is_used(simulate: NewSimulation) -> None:
    sim = crowded(simulate, foreign=SLOTS - 1)
    batch_id = sim.submit(sim.media(3))
    for done in range(1, 4):
        minutes(sim, 11)
        assert len(sim.jobs.created) == done
        sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert not sim.dead


def test_a_job_whose_token_bedrock_forgot_is_found_by_its_name(simulate: NewSimulation) -> None:
    sim = simulate(lease_seconds=-1)
    sim.jobs.forgets_tokens = True
    sim.jobs.listed_after = timedelta(seconds=20)

    def die(call: str) -> None:
        if call.startswith("jobs.create") and sim.jobs.created:
            sim.on_call = lambda _: None
            raise Crash(call)

    sim.on_call = die
    batch_id = sim.submit(sim.media(2))
    assert sim.jobs.calls.count("create") == 2
    sim.pass_time(MINUTE)
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_job_that_cannot_be_looked_up_just_now_is_bought_no_second_time(simulate: NewSimulation) -> None:
    sim = simulate()
    sim.jobs.forgets_tokens = True
    sim.jobs.fail_next("create", PassingFault("connection reset"), lost_answer=True)
    sim.jobs.fail_next("find", PassingFault("no answer either"))
    batch_id = sim.submit(sim.media(2))
    sim.pass_time(MINUTE)
    sim.finish_all()
    assert len(sim.jobs.created) == 1
    assert sim.batch(batch_id).state is BatchState.COMPLETED


def test_a_message_delivered_to_another_process_while_its_chunk_is_copied_copies_nothing(
    sim: Simulation,
) -> None:
    again: list[object] = []

    def deliver() -> None:
        again.append(sim.handle(SubmitChunk(chunk_id=the_chunk(sim).chunk_id)))

    at_call(sim, "objects.copies", act=deliver)
    batch_id = sim.submit(sim.media(3))
    assert len(again) == 1
    assert sim.objects.calls.count("copies") == 3
    assert len(sim.jobs.created) == 1
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
