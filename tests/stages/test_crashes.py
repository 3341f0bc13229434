"""A crash between any two calls of the ways that end badly: the same rows, jobs and results as without it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from consumers.core.faults import Denied, PassingFault, Rejected
from consumers.core.lifecycle import JobStatus
from tests.stages.bedrock_answers import error
from tests.stages.conftest import NewSimulation
from tests.stages.lots import BATCH, lose
from tests.stages.simulation import Simulation
from tests.stages.sweeps import IN_FULL, Points, crash_everywhere, effects, of_each_kind, rows_of

MANY = 999


def failed_jobs(sim: Simulation) -> None:
    """One job fails without output, as often as it is sent again; one leaves out a line."""
    sim.small_chunks(2)
    sim.answers.plan("file-3:combined", None)
    sim.submit(sim.media(4))
    arn = next(iter(sim.jobs.reports))
    sim.jobs.finish(arn, JobStatus.FAILED, "Internal error")
    finish(sim)


def refused_creates(sim: Simulation) -> None:
    """Bedrock will not create the job of one chunk, nor of the next round."""
    sim.small_chunks(2)
    sim.jobs.fail_next("create", Rejected("no such model"), subject="-000-", times=MANY)
    sim.submit(sim.media(4))
    finish(sim)


def never_prepared(sim: Simulation) -> None:
    """The manifest of one chunk cannot be written."""
    sim.small_chunks(2)
    sim.objects.fail_next("writer", Denied("no s3:PutObject"), subject="_000/manifest.jsonl", times=MANY)
    sim.submit(sim.media(4))
    finish(sim)


def never_read(sim: Simulation) -> None:
    """The output of one chunk cannot be read at first; it is when its batch has ended."""
    sim.small_chunks(2)
    subject = f"output/job_20260105_100000_{BATCH[1:7]}_000/"
    sim.objects.fail_next("list", PassingFault("broken pipe"), subject=subject, times=6)
    sim.submit(sim.media(4))
    finish(sim)


def all_refused(sim: Simulation) -> None:
    """All files of one chunk are gone when it is copied, and one of the other."""
    sim.small_chunks(2)
    sim.store.pause("*", "until they are gone", sim.now)
    sim.submit(sim.media(4))
    for number in (1, 2, 3):
        lose(sim, number)
    sim.store.resume("*")
    finish(sim)


def gone_before_the_next_round(sim: Simulation) -> None:
    """What is sent again is gone by then, but for one file."""
    sim.small_chunks(2)
    for number in range(1, 5):
        sim.answers.plan(f"file-{number}:combined", error(503))
    sim.submit(sim.media(4))
    for number in (1, 2, 3):
        lose(sim, number)
    finish(sim)


def sent_again_early(sim: Simulation) -> None:
    """Some fail soon enough to fill a chunk while others wait, some fail at the end."""
    sim.policy = replace(sim.policy, stage_ahead=0, max_files_per_chunk=2)
    for number in (1, 3, 4, 8):
        sim.answers.plan(f"file-{number}:combined", error(503))
    sim.submit(sim.media(8))
    finish(sim)


def stopped_for_good(sim: Simulation) -> None:
    """One job is stopped, one expires; a cut answer is asked for again with more tokens."""
    sim.small_chunks(2)
    sim.submit(sim.media(4))
    for arn, status in zip(list(sim.jobs.reports), (JobStatus.STOPPED, JobStatus.EXPIRED), strict=True):
        sim.jobs.finish(arn, status)
    finish(sim)


def finish(sim: Simulation) -> None:
    """Let everything come to its end that the reconciler and time can bring there."""
    for _ in range(8):
        sim.reconcile()
        sim.finish_all()
        sim.pass_time(700)


STORIES: dict[Callable[[Simulation], None], list[str]] = {
    failed_jobs: ["close_records", "note_waiting", "end_chunk"],
    refused_creates: ["claim_slot", "close_records", "end_chunk"],
    never_prepared: ["failed", "close_records", "end_chunk"],
    never_read: ["save", "close_records", "end_chunk"],
    all_refused: ["refuse_files", "foresee", "end_chunk"],
    gone_before_the_next_round: ["refuse_files", "foresee", "staged"],
    sent_again_early: ["note_waiting", "add_early_round", "leave_batch"],
    stopped_for_good: ["close_records", "end_chunk"],
}
"""Each with the calls of the store behind which it is struck by default."""


def outcome(sim: Simulation) -> object:
    return (
        sim.batch(BATCH).state,
        sim.store.count(BATCH),
        sorted((line["file_id"], line["analysis_type"], line["outcome"]) for line in sim.results(BATCH)),
        sorted(request.name for request in sim.jobs.created),
        dict(sim.answers.bought),
        sim.objects.keys(),
        rows_of(sim.store),
    )


def behind(names: Sequence[str]) -> Points:
    """Strike behind the first and the last of each of these calls."""

    def points(calls: Sequence[str]) -> list[int]:
        named = tuple(f" store.{name} " for name in names)
        return of_each_kind(calls, [n for n in effects(calls) if any(each in calls[n - 1] for each in named)])

    return points


def everywhere(names: Sequence[str]) -> Points:
    return effects


@pytest.mark.parametrize("depth", [behind, pytest.param(everywhere, marks=IN_FULL)])
@pytest.mark.parametrize("story", STORIES)
def test_a_crash_anywhere_on_a_way_that_ends_badly_changes_nothing(
    simulate: NewSimulation,
    story: Callable[[Simulation], None],
    depth: Callable[[Sequence[str]], Points],
) -> None:
    def make(lease_seconds: float) -> Simulation:
        return simulate(lease_seconds=lease_seconds, min_records=1, slots=2)

    crash_everywhere(make, story, outcome, depth(STORIES[story]))
