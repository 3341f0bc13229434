"""The share of slot-seconds that stay empty while chunks wait, over days of a virtual clock."""

import random
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path

from consumers.core.lifecycle import JOB_ENDS, JobStatus
from daemon.adapters.figures import StoreFigures
from schemas.job_events import JobStateChange
from tests.bench.table import Scale, Table, Target
from tests.databases import make_sqlite_store
from tests.stages.simulation import START, Simulation

CHUNKS = {Scale.TINY: 2, Scale.SHORT: 200, Scale.FULL: 200}
SLOTS = {Scale.TINY: 1, Scale.SHORT: 20, Scale.FULL: 20}
LOST = 0.05
SHARES = {Scale.TINY: (LOST,), Scale.SHORT: (LOST,), Scale.FULL: (0.0, LOST)}
RECONCILE = 60.0
EVENT = 1.0
VALIDATED = 45.0
LASTS = {Scale.TINY: (60.0, 120.0), **dict.fromkeys((Scale.SHORT, Scale.FULL), (540.0, 1500.0))}


def idle_table(scale: Scale) -> Table:
    """Run all chunks through the simulation, with and without lost events."""
    rows = []
    for lost in SHARES[scale]:
        run = Run(CHUNKS[scale], SLOTS[scale], LASTS[scale], lost)
        run.go()
        share = run.share() * 100
        rows.append((f"{lost:.0%} of the events lost", run.hours(), share, run.told * 100, str(run.lost)))
    return Table(
        f"slots: {CHUNKS[scale]} chunks, {SLOTS[scale]} slots, jobs of 9 to 25 minutes, on a virtual clock",
        ("run", "hours", "idle slot-seconds, %", "by the metric, %", "events lost"),
        rows,
        [Target("idle share in percent, 5 % of the events lost", rows[-1][2], "≤", 1.0)],
        f"All stages over SQLite, S3 and Bedrock in memory; an event takes {EVENT:.0f} s, "
        f"validation {VALIDATED:.0f} s, staging none; the reconciler looks every {RECONCILE:.0f} s.",
    )


class Run:
    """One batch on a clock that jumps from event to event."""

    def __init__(self, chunks: int, slots: int, lasts: tuple[float, float], lost: float) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._store = make_sqlite_store(Path(self._folder.name))
        self._sim = Simulation(self._store, slots=slots, min_records=2)
        self._sim.small_chunks(2)
        self._sim.policy = replace(self._sim.policy, stage_ahead=slots, cleanup_after_success=False)
        self._figures = StoreFigures(self._store, self._sim.models, self._sim.policy, self)
        self._chance = random.Random(1)
        self._share, self._chunks, self._slots, self._lasts = lost, chunks, slots, lasts
        self._due: list[tuple[float, int, str]] = []
        self._known: set[str] = set()
        self.lost = 0
        self.told = 0.0

    def go(self) -> None:
        """Let everything happen until no job is left."""
        sim = self._sim
        sim.submit(sim.media(2 * self._chunks))
        self._push(RECONCILE, "look")
        self._begin_jobs()
        while sum(report.status in JOB_ENDS for report in sim.jobs.reports.values()) < self._chunks:
            at, _, what = heappop(self._due)
            sim.pass_time(at - self._seconds())
            self._happen(what)
            self._begin_jobs()
        self.told = sum(self._store.idle_seconds().values()) / self._all_seconds()
        self._store.engine.dispose()
        self._folder.cleanup()

    def share(self) -> float:
        """Return idle slot-seconds against all, from the first job to the last create."""
        end = self._last_create()
        times = [(job.submitted_at, job.ended_at) for job in self._sim.jobs.reports.values()]
        used = sum((min(ended, end) - begun).total_seconds() for begun, ended in times if begun and ended)
        return 1 - used / self._all_seconds()

    def _last_create(self) -> datetime:
        return max(job.submitted_at for job in self._sim.jobs.reports.values() if job.submitted_at)

    def _all_seconds(self) -> float:
        return (self._last_create() - START).total_seconds() * self._slots

    def hours(self) -> float:
        """Return how long it took on the virtual clock."""
        return (self._sim.now - START).total_seconds() / 3600

    def now(self) -> datetime:
        """Return the virtual time of day, as a clock does."""
        return self._sim.now

    def monotonic(self) -> float:
        """Return the virtual seconds that have passed."""
        return self._seconds()

    def _happen(self, what: str) -> None:
        """Begin or end a job, deliver its event, or let the reconciler and the gauges look."""
        kind, _, arn = what.partition(" ")
        match kind:
            case "look":
                self._push(RECONCILE, "look")
                self._sim.reconcile()
                self._figures.read()
            case "event":
                report = self._sim.jobs.reports[arn]
                self._sim.post(JobStateChange.hint(arn, report.name, report.status))
                self._sim.run()
            case "begin":
                self._sim.jobs.move(arn, JobStatus.IN_PROGRESS)
                self._tell(arn)
            case _:
                self._sim.answers.write_output(self._sim.objects, self._sim.jobs.requests[arn], arn)
                self._sim.jobs.finish(arn)
                self._tell(arn)

    def _tell(self, arn: str) -> None:
        """Send a job's event, unless it gets lost."""
        if self._chance.random() < self._share:
            self.lost += 1
        else:
            self._push(EVENT, f"event {arn}")

    def _begin_jobs(self) -> None:
        """Draw how long each new job takes."""
        for arn in self._sim.jobs.reports.keys() - self._known:
            self._known.add(arn)
            self._push(VALIDATED, f"begin {arn}")
            self._push(self._chance.uniform(*self._lasts), f"end {arn}")

    def _push(self, seconds: float, what: str) -> None:
        heappush(self._due, (self._seconds() + seconds, len(self._due), what))

    def _seconds(self) -> float:
        return (self._sim.now - START) / timedelta(seconds=1)
