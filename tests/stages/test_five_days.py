"""An archive on a virtual clock: slots always full, no message too many, nothing left to the reconciler."""

import heapq
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import pytest

from consumers.core.lifecycle import BatchState, JobStatus
from schemas.facts import Reconciled
from schemas.job_events import JobStateChange
from schemas.messages import SubmitChunk
from tests.depth import examples
from tests.stages.conftest import NewSimulation
from tests.stages.simulation import Simulation

SLOTS, AHEAD = 20, 20
PLACES = SLOTS + AHEAD
MINUTE = timedelta(minutes=1)
Span = tuple[float, float]


@dataclass
class Archive:
    """A batch of chunks of one file each, on a clock that goes from event to event.

    ``took`` has the seconds of real time that each chunk took from its end to the next one's; ``full`` and
    ``passed`` add up slot-seconds in use and seconds gone by, for as long as chunks wait.
    """

    sim: Simulation
    chunks: int
    minutes: Span
    ends: list[tuple[datetime, str]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    most_messages: int = 0
    full: float = 0.0
    passed: float = 0.0
    took: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sim.small_chunks(1)
        self.sim.on_call = self.look
        self.seen = 0

    def look(self, call: str) -> None:
        """Count the submit_chunk messages behind the one in hand whenever one has been dealt with."""
        if call == "worker.delete":
            behind = islice(self.sim.queue, 1, None)
            waiting = sum(isinstance(message, SubmitChunk) for message in behind)
            self.most_messages = max(self.most_messages, waiting)

    def run(self) -> str:
        """Let the whole batch go through; returns its id."""
        batch_id = self.sim.submit(self.sim.media(self.chunks))
        self.begin_jobs()
        tick = self.sim.now + MINUTE / 2
        while self.ends:
            self.go_to(min(self.ends[0][0], tick))
            if self.sim.now == tick:
                self.sim.reconcile()
                tick += MINUTE
            self.end_jobs()
            self.begin_jobs()
        return batch_id

    def go_to(self, when: datetime) -> None:
        """Move the clock; what was put off until then is delivered."""
        passed = (when - self.sim.now).total_seconds()
        if self.seen < self.chunks:
            self.full += passed * len(self.ends)
            self.passed += passed
        self.sim.pass_time(passed)

    def begin_jobs(self) -> None:
        """Let new jobs get past validation, and draw when each of them ends."""
        while new := list(islice(self.sim.jobs.reports, self.seen, None)):
            for arn in new:
                self.seen += 1
                self.tell(arn, JobStatus.IN_PROGRESS)
                end = self.sim.now + self.dice.uniform(*self.minutes) * MINUTE
                heapq.heappush(self.ends, (end, arn))
            self.sim.run()

    def end_jobs(self) -> None:
        """End the jobs whose time has come, all at once."""
        began = time.perf_counter()
        due = 0
        while self.ends and self.ends[0][0] <= self.sim.now:
            _, arn = heapq.heappop(self.ends)
            self.sim.answers.write_output(self.sim.objects, self.sim.jobs.requests[arn], arn)
            self.tell(arn, JobStatus.COMPLETED)
            due += 1
        self.sim.run()
        self.took += [(time.perf_counter() - began) / due] * due if due else []

    def tell(self, arn: str, status: JobStatus) -> None:
        """Bring a job into a status and send its event."""
        end = status is JobStatus.COMPLETED
        report = self.sim.jobs.finish(arn, status) if end else self.sim.jobs.move(arn, status)
        self.sim.post(JobStateChange.hint(arn, report.name, status))

    def sent_for_each(self) -> float:
        """Return how many submit_chunk messages a chunk took."""
        return Counter(type(message) for message in self.sim.log)[SubmitChunk] / self.chunks


def check(archive: Archive, batch_id: str) -> None:
    """Look at what must hold however many chunks there are."""
    sim = archive.sim
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    assert len(sim.jobs.created) == archive.chunks
    assert sim.answers.bought_once(f"file-{n}:combined" for n in range(1, archive.chunks + 1))
    assert not sim.dead
    assert not [fact for fact in sim.facts if isinstance(fact, Reconciled)]
    assert archive.full / archive.passed >= SLOTS - 0.1
    assert archive.most_messages <= PLACES


def archive_of(simulate: NewSimulation, chunks: int, minutes: Span) -> Archive:
    return Archive(simulate(slots=SLOTS, min_records=1), chunks, minutes)


def test_an_archive_goes_through_with_its_slots_full_and_nothing_left_to_the_reconciler(
    simulate: NewSimulation,
) -> None:
    archive = archive_of(simulate, examples(100, 200), (15, 25))
    check(archive, archive.run())
    assert archive.sent_for_each() <= 3.2


def test_twenty_jobs_that_end_at_once_send_for_no_more_chunks_than_there_is_room(
    simulate: NewSimulation,
) -> None:
    archive = archive_of(simulate, 80, (20, 20))
    check(archive, archive.run())
    assert archive.sent_for_each() <= 6


@pytest.mark.endurance
@pytest.mark.timeout(5400)
def test_five_days_of_an_archive(simulate: NewSimulation) -> None:
    archive = archive_of(simulate, 6667, (15, 25))
    check(archive, archive.run())
    assert archive.sent_for_each() <= 3.2
    assert archive.passed > 4.5 * 86_400
    first, last = sum(archive.took[:1000]), sum(archive.took[-1000:])
    print(f"seconds for 1,000 chunks: {first:.1f} at first, {last:.1f} in the end")
    assert last <= 1.3 * first
