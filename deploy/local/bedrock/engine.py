"""What makes jobs go from state to state, and tells of it."""

import functools
import hashlib
import threading
from typing import Any

from deploy.local import events_fixes
from deploy.local.bedrock import inputs, processing
from deploy.local.bedrock.agenda import Agenda
from deploy.local.bedrock.jobs import Job, JobStore
from deploy.local.bedrock.notices import event_of
from deploy.local.bedrock.storage import Storage
from deploy.local.faults import Faults
from deploy.local.knobs import Knobs

NEXT = {"Submitted": "Validating", "Validating": "Scheduled", "Scheduled": "InProgress"}
FAULT_MESSAGES = {"Failed": "Internal error. Try the job again.", "Expired": "The job timed out."}


class Engine:
    """The emulated Bedrock behind its API."""

    def __init__(self, knobs: Knobs, faults: Faults, s3_lock: threading.RLock) -> None:
        self.knobs = knobs
        self.faults = faults
        self.jobs = JobStore(knobs)
        self._s3_lock = s3_lock
        self._stepping = threading.Lock()
        self._agenda = Agenda()
        self._agenda.start()

    def reset(self) -> None:
        """Forget all jobs and whatever was about to happen to them, once the present step is done."""
        with self._stepping, self.jobs.lock:
            self._agenda.clear()
            self.jobs.clear()

    def submit(self, account: str, region: str, request: dict[str, Any]) -> Job:
        """Take in a job and start it on its way; a replayed token changes nothing."""
        job, is_new = self.jobs.create(account, region, request, self.faults.for_job)
        if is_new:
            self._announce(job)
            self._step_later(job)
        return job

    def stop(self, job: Job) -> bool:
        """Begin to stop a job; False when it has ended already."""
        with self.jobs.lock:
            if job.ended:
                return False
            if job.status != "Stopping":
                self._begin_stop(job)
            return True

    def resume_stuck(self) -> None:
        """Let jobs go on that a fault keeps in a state, or would."""
        with self.jobs.lock:
            for job in self.jobs.all():
                fault = job.fault
                if fault and fault.outcome == "stuck":
                    job.fault = None
                    if job.status == fault.state:
                        self._step_later(job)

    def _begin_stop(self, job: Job) -> None:
        job.stopped_in = job.status
        self._move(job, "Stopping")
        self._step_later(job)

    def _step_later(self, job: Job) -> None:
        # The state is part of the appointment: a job that was stopped meanwhile has another one.
        self._agenda.add(self._seconds_in(job), functools.partial(self._step, job, job.status))

    def _seconds_in(self, job: Job) -> float:
        """Return how long a job stays in the state it is in."""
        knobs = self.knobs
        if job.status != "InProgress":
            return knobs.step_seconds
        return knobs.step_seconds + knobs.run_seconds * (1 + knobs.run_spread * (2 * _chance(job.name) - 1))

    def _step(self, job: Job, expected: str) -> None:
        with self._stepping:
            if job.status == expected and self.jobs.holds(job):
                self._step_now(job, expected)

    def _step_now(self, job: Job, expected: str) -> None:
        fault = job.fault
        if fault and fault.outcome == "stuck" and fault.state == expected:
            return
        try:
            self._leave(job, expected)
        except Exception as error:
            self._move(job, "Failed", f"Internal error of the local AWS: {error!r}")
            raise
        if not job.ended:
            self._step_later(job)

    def _leave(self, job: Job, expected: str) -> None:
        """Leave the state the job was expected in for the next."""
        if expected == "Stopping":
            share = self.knobs.stopped_share if job.stopped_in == "InProgress" else 0.0
            self._end(job, "Stopped", "", share)
        elif self._strike(job, expected):
            return
        elif expected == "InProgress":
            self._end(job, "Completed", "", 1.0)
        elif expected == "Validating" and (complaint := self._complaint(job)):
            self._go_on(job, "Validating", "Failed", complaint)
        else:
            self._go_on(job, expected, NEXT[expected])

    def _go_on(self, job: Job, old: str, new: str, message: str = "") -> None:
        """Move from a state unless the job was stopped meanwhile: a stop must not be lost."""
        with self.jobs.lock:
            if job.status != old:
                return
            self._move(job, new, message)

    def _strike(self, job: Job, expected: str) -> bool:
        """Bring about what a fault has in store for the job in this state, if anything."""
        fault = job.fault
        if fault is None or fault.state != expected or fault.outcome == "stuck":
            return False
        message = fault.message or FAULT_MESSAGES.get(fault.outcome, "")
        if fault.outcome == "Stopped":
            self._stop_by_fault(job, expected)
        elif fault.outcome == "Failed" or expected != "InProgress":
            self._go_on(job, expected, fault.outcome, message)
        else:
            self._end(job, fault.outcome, message, 1.0 - fault.missing_share)
        return True

    def _stop_by_fault(self, job: Job, expected: str) -> None:
        with self.jobs.lock:
            job.fault = None
            job.stopped_in = job.stopped_in or expected
            self._go_on(job, expected, "Stopping")

    def _complaint(self, job: Job) -> str:
        """Look at the input; return why the job fails, or nothing."""
        try:
            files = inputs.read(job, self._storage(job), self.knobs)
        except inputs.InputRefusedError as refusal:
            return str(refusal)
        job.record_ids = [record["recordId"] for file in files for record in file.records]
        job.counts.total = len(job.record_ids)
        return ""

    def _end(self, job: Job, status: str, message: str, share: float) -> None:
        """Process a share of the records, write the output, and end the job."""
        if share > 0:
            processing.run(job, self._storage(job), self.knobs, self.faults, share)
        self._move(job, status, message)

    def _storage(self, job: Job) -> Storage:
        return Storage(job.account, self._s3_lock)

    def _move(self, job: Job, status: str, message: str = "") -> None:
        with self.jobs.lock:
            job.move(status, message)
        self._announce(job)

    def _announce(self, job: Job) -> None:
        """Send the state-change event, as badly as the event faults say."""
        event, faults = event_of(job), self.faults.events
        chance = _chance(job.name + job.status)
        if job.status in faults.drop_statuses or chance < faults.drop_events:
            return
        delay = chance * 4 * max(self.knobs.step_seconds, 0.05) if faults.shuffle_events else 0.0
        for _ in range(1 + faults.duplicate_events):
            self._agenda.add(delay, functools.partial(events_fixes.deliver, job.account, job.region, event))


def _chance(seed: str) -> float:
    """Return a number from 0 up to, not including, 1: the same for a seed in every run."""
    return int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16) / 2**32
