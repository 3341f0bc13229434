"""A batch of higher priority gets the very next slot, however much waits before it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consumers.core.lifecycle import ChunkState, JobStatus
from schemas.job_events import JobStateChange
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation

SLOTS, STAGE_AHEAD = 3, 2


def full(simulate: NewSimulation, *waiting: str) -> tuple[Simulation, list[str]]:
    """All slots and stage places taken by batches of no priority, each with more that waits."""
    sim = simulate(min_records=1, slots=SLOTS)
    sim.policy = replace(sim.policy, max_files_per_chunk=1, stage_ahead=STAGE_AHEAD)
    low = [sim.submit(sim.media(8, first=100 * n), name) for n, name in enumerate(waiting, 1)]
    states = [state for batch_id in low for state in states_of(sim, batch_id)]
    assert states.count(ChunkState.SUBMITTED) == SLOTS
    assert states.count(ChunkState.READY) == STAGE_AHEAD
    assert all(ChunkState.PLANNED in states_of(sim, batch_id) for batch_id in low)
    return sim, low


def states_of(sim: Simulation, batch_id: str) -> list[ChunkState]:
    return [state for _, state in sim.store.chunk_ids(batch_id)]


def end_one(sim: Simulation) -> None:
    """Let one job end, whichever is the oldest, and let everything happen that follows."""
    arn, request = next(iter(sim.jobs.requests.items()))
    sim.answers.write_output(sim.objects, request, arn)
    report = sim.jobs.finish(arn)
    sim.post(JobStateChange.hint(arn, report.name, JobStatus.COMPLETED))
    sim.run()


def buyers(sim: Simulation, batch_ids: Sequence[str]) -> list[str]:
    """Return whose each job is, in the order in which they were created."""
    short = {batch_id[1:7]: batch_id for batch_id in batch_ids}
    return [short[request.name.split("-")[1]] for request in sim.jobs.created]


@pytest.mark.parametrize("waiting", [["low"], ["low", "as low"]])
def test_the_next_job_after_one_that_ends_is_the_urgent_one(
    simulate: NewSimulation, waiting: list[str]
) -> None:
    sim, low = full(simulate, *waiting)
    urgent = sim.submit(sim.media(2, first=900), "urgent", priority=10)
    assert len(sim.jobs.created) == SLOTS
    end_one(sim)
    assert buyers(sim, [*low, urgent])[SLOTS:] == [urgent]
