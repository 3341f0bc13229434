"""The share of slot-seconds that stay empty while chunks wait, over days of a virtual clock."""

import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from heapq import heappop, heappush
from pathlib import Path

from consumers.core.lifecycle import JOB_ENDS, JobStatus
from schemas.job_events import JobStateChange
from tests.bench.table import Scale, Table, Target
from tests.databases import make_sqlite_store
from tests.stages.simulation import START, Simulation

CHUNKS = {Scale.TINY: 2, Scale.SHORT: 200, Scale.FULL: 200}
SLOTS = {Scale.TINY: 1, Scale.SHORT: 20, Scale.FULL: 20}
LOST = 0.05
SHARES = {Scale.TINY: (LOST,), Scale.SHORT: (0.0, LOST), Scale.FULL: (0.0, LOST)}
RECONCILE = 60.0
EVENT = 1.0
LASTS = {Scale.TINY: (60.0, 120.0), **dict.fromkeys((Scale.SHORT, Scale.FULL), (540.0, 1500.0))}


def idle_table(scale: Scale) -> Table:
    """Run all chunks through the simulation, with and without lost events."""
    rows = []
    for lost in SHARES[scale]:
        run = Run(CHUNKS[scale], SLOTS[scale], LASTS[scale], lost)
        run.go()
        rows.append((f"{lost:.0%} of the events lost", run.hours(), run.share() * 100, str(run.lost)))
    return Table(
        f"slots: {CHUNKS[scale]} chunks, {SLOTS[scale]} slots, jobs of 9 to 25 minutes, on a virtual clock",
        ("run", "hours", "idle slot-seconds, %", "events lost"),
        rows,
        [Target("idle share in percent, 5 % of the events lost", rows[-1][2], "≤", 1.0)],
        f"All stages over SQLite, S3 and Bedrock in memory; an event takes {EVENT:.0f} s, "
        f"the reconciler looks every {RECONCILE:.0f} s; staging takes no time.",
    )


class Run:
    """One batch on a clock that jumps from event to event."""

    def __init__(self, chunks: int, slots: int, lasts: tuple[float, float], lost: float) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._store = make_sqlite_store(Path(self._folder.name))
        self._sim = Simulation(self._store, slots=slots, min_records=2)
        self._sim.small_chunks(2)
        self._sim.policy = replace(self._sim.policy, stage_ahead=slots, cleanup_after_success=False)
        self._chance = random.Random(1)
        self._share, self._chunks, self._slots, self._lasts = lost, chunks, slots, lasts
        self._due: list[tuple[float, int, str]] = []
        self._known: set[str] = set()
        self.lost = 0

    def go(self) -> None:
        """Let everything happen until no job is left."""
        sim = self._sim
        sim.submit(sim.media(2 * self._chunks))
        self._push(RECONCILE, "")
        self._begin_jobs()
        while sum(report.status in JOB_ENDS for report in sim.jobs.reports.values()) < self._chunks:
            at, _, arn = heappop(self._due)
            sim.pass_time(at - self._seconds())
            self._happen(arn)
            self._begin_jobs()
        self._store.engine.dispose()
        self._folder.cleanup()

    def share(self) -> float:
        """Return idle slot-seconds against all, from the first job to the last create."""
        jobs = self._sim.jobs.reports.values()
        end = max(job.submitted_at for job in jobs if job.submitted_at)
        used = sum(
            (min(job.ended_at or end, end) - job.submitted_at).total_seconds()
            for job in jobs
            if job.submitted_at
        )
        return 1 - used / ((end - START).total_seconds() * self._slots)

    def hours(self) -> float:
        """Return how long it took on the virtual clock."""
        return (self._sim.now - START).total_seconds() / 3600

    def _happen(self, what: str) -> None:
        """End a job, deliver its event, or let the reconciler look."""
        if not what:
            self._push(RECONCILE, "")
            self._sim.reconcile()
        elif what.startswith("event "):
            arn = what.removeprefix("event ")
            self._sim.post(JobStateChange.hint(arn, self._sim.jobs.reports[arn].name, JobStatus.COMPLETED))
            self._sim.run()
        else:
            self._sim.answers.write_output(self._sim.objects, self._sim.jobs.requests[what], what)
            self._sim.jobs.finish(what)
            if self._chance.random() < self._share:
                self.lost += 1
            else:
                self._push(EVENT, f"event {what}")

    def _begin_jobs(self) -> None:
        """Draw how long each new job takes."""
        for arn in self._sim.jobs.reports.keys() - self._known:
            self._known.add(arn)
            self._push(self._chance.uniform(*self._lasts), arn)

    def _push(self, seconds: float, what: str) -> None:
        heappush(self._due, (self._seconds() + seconds, len(self._due), what))

    def _seconds(self) -> float:
        return (self._sim.now - START) / timedelta(seconds=1)
