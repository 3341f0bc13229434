"""Another round of a batch, while others look at the same batch or the process dies."""

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from schemas.messages import CancelBatch, SettleBatch
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.moments import at_call, before_lease
from tests.stages.simulation import Crash, Simulation


def test_the_plan_of_a_round_names_the_chunks_that_were_stored(simulate: NewSimulation) -> None:
    sim = simulate(min_records=1, lease_seconds=-1)
    sim.answers.plan("file-1:combined", error(503))
    sim.answers.plan("file-2:combined", error(503))

    def die_and_come_back_with_other_settings() -> None:
        sim.small_chunks(1)
        raise Crash

    batch_id = sim.submit(sim.media(2))
    at_call(sim, "writer", "plan-r1", "done", act=die_and_come_back_with_other_settings)
    sim.finish_all()
    planned = sim.planned(layout.plan_key(batch_id, 1))
    stored = [chunk_id for chunk_id, _ in sim.store.chunk_ids(batch_id)][1:]
    assert [chunk["chunk_id"] for chunk in planned] == stored
    assert len(stored) == 2


def test_a_cancel_while_a_round_is_made_adds_no_round(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(503))
    batch_id = sim.submit(sim.media(2))
    cancel = CancelBatch(batch_id=batch_id)
    at_call(sim, "writer", "plan-r1", "done", act=lambda: sim.handle(cancel))
    sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    assert len(sim.store.chunk_ids(batch_id)) == 1


def test_nothing_is_sent_again_in_a_cancelled_batch(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(503))
    batch_id = sim.submit(sim.media(2))
    sim.post(CancelBatch(batch_id=batch_id))
    sim.run()
    sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.CANCELLED
    assert sim.answers.bought == {"file-1:combined": 1, "file-2:combined": 1}


def test_a_round_another_added_just_before_the_lease_is_not_taken_for_the_end(sim: Simulation) -> None:
    sim.answers.plan("file-1:combined", error(503))
    batch_id = sim.submit(sim.media(2))
    settle = SettleBatch(batch_id=batch_id)
    before_lease(sim, "batch", act=lambda: sim.handle(settle))
    sim.finish_jobs()
    assert sim.batch(batch_id).state is BatchState.RUNNING
    assert not sim.objects.keys(layout.results_key(batch_id))
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == 2


def test_an_end_another_wrote_just_before_the_lease_is_written_once(sim: Simulation) -> None:
    batch_id = sim.submit(sim.media(2))
    settle = SettleBatch(batch_id=batch_id)
    before_lease(sim, "batch", act=lambda: sim.handle(settle))
    sim.finish_jobs()
    assert sim.objects.calls.log.count(("writer", layout.results_key(batch_id))) == 1
    assert [fact.event for fact in sim.facts].count("batch_ended") == 1
