"""All stages together over a real store and fake S3 and Bedrock, on a clock that moves only when told."""

import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from consumers.cleanup import STAGES as CLEANUP
from consumers.core import layout
from consumers.core.faults import Denied, Fault, LeaseLost, PassingFault
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.rows import Batch, Held, Leased
from consumers.core.world import Done, Later, Policy, Refuse, Stage, World
from consumers.job_state import STAGES as JOB_STATE
from consumers.submit import STAGES as SUBMIT
from daemon.adapters.store import SqlStore
from schemas.analyses import REGISTRY, Registry
from schemas.events import Event
from schemas.facts import Fact
from schemas.job_events import JobStateChange
from schemas.messages import Reconcile, SubmitBatch
from schemas.models import load_models
from tests.fakes.calls import OnCall, ignore
from tests.fakes.jobs import FakeJobs
from tests.fakes.local import FakeLocalMedia
from tests.fakes.objects import FakeObjects
from tests.fakes.store import heard
from tests.stages.bedrock_answers import Answers

STAGES: Mapping[type[BaseModel], Stage] = {**SUBMIT, **JOB_STATE, **CLEANUP}
START = datetime(2026, 1, 5, 10, tzinfo=UTC)
POLICY = Policy(
    bucket="media",
    allowed_buckets=frozenset({"media"}),
    role_arn="arn:aws:iam::123456789012:role/batch",
    region="us-east-1",
)


class Crash(BaseException):
    """The process is gone: nothing catches this but the simulation."""


@dataclass
class Simulation:
    """Messages go from stage to stage until all is quiet; the test plays Bedrock and the clock."""

    store: SqlStore
    policy: Policy = POLICY
    slots: int = 20
    min_records: int = 100
    lease_seconds: float = 120
    on_call: OnCall = ignore
    on_hold: OnCall = ignore
    now: datetime = START
    events_arrive: bool = True
    queue: deque[BaseModel] = field(default_factory=deque)
    later: list[tuple[datetime, BaseModel]] = field(default_factory=list)
    dead: list[tuple[BaseModel, Refuse]] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)
    analyses: Registry = REGISTRY
    local: FakeLocalMedia = field(default_factory=FakeLocalMedia)
    log: list[BaseModel] = field(default_factory=list)
    deliveries: int = 1
    drop: int | None = None
    handled: int = 0
    at_work: str = ""

    def __post_init__(self) -> None:
        self.objects = FakeObjects(self.policy.bucket, self._call, self.local)
        self.jobs = FakeJobs(slots=self.slots, now=lambda: self.now, on_call=self._call)
        self.heard = heard(self.store, self._call)
        self.models = load_models(None, slots=self.slots, min_records=self.min_records)

    def _call(self, call: str) -> None:
        self.on_call(call)

    # ── what a sender and the outside do ──

    def media(self, count: int, suffix: str = "mov", first: int = 1) -> list[dict[str, Any]]:
        """Put small originals into the bucket and return them as a request names them."""
        files = []
        for number in range(first, first + count):
            key = f"proxy_video/Video, {number}.{suffix}"
            self.objects.put(key, f"media {number}")
            files.append({"file_id": number, "s3_key": key})
        return files

    def submit(self, files: list[dict[str, Any]] | None, request_id: str = "r", **more: Any) -> str:
        """Post a request and let everything happen that can; returns the batch id."""
        fields = {"request_id": request_id, "model": "nova-2-lite", "files": files, **more}
        fields = {name: value for name, value in fields.items() if value is not None}
        self.post(SubmitBatch.model_validate(fields))
        self.run()
        return layout.batch_id(request_id)

    def finish_jobs(
        self, status: JobStatus = JobStatus.COMPLETED, *, output: bool = True, message: str = ""
    ) -> int:
        """Let every open job end, with its output, and deliver the events unless they get lost."""
        ended = [arn for arn, report in self.jobs.reports.items() if report.status not in JOB_ENDS]
        for arn in ended:
            if output:
                self.answers.write_output(self.objects, self.jobs.requests[arn], arn)
            report = self.jobs.finish(arn, status, message)
            if self.events_arrive:
                self.post(JobStateChange.hint(arn, report.name, status))
        self.run()
        return len(ended)

    def finish_all(self, limit: int = 50) -> None:
        """Let jobs end, round after round, until none is open."""
        for _ in range(limit):
            if not self.finish_jobs():
                return
        raise AssertionError("jobs without end")

    def pass_time(self, seconds: float) -> None:
        """Move the clock and deliver what was put off until then."""
        self.now += timedelta(seconds=seconds)
        due = [message for when, message in self.later if when <= self.now]
        self.later = [(when, message) for when, message in self.later if when > self.now]
        self.queue.extend(due)
        self.run()

    def reconcile(self, passes: int = 1) -> None:
        """Let the reconciler make some passes, each with what follows from it."""
        for _ in range(passes):
            self.post(Reconcile())
            self.run()

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the lines of the batch's results file."""
        text = self.objects.text(layout.results_key(batch_id))
        return [json.loads(line) for line in text.split("\n") if line]

    def planned(self, key: str) -> list[dict[str, Any]]:
        """Return the chunks that a plan names."""
        lines = map(json.loads, self.objects.text(key).splitlines())
        return [line for line in lines if "chunk_id" in line]

    def outcomes(self, batch_id: str) -> dict[str, str]:
        """Return the outcome of each file and type, as the results file tells them."""
        return {
            f"{line['file_id']}:{line['analysis_type']}": line["outcome"] for line in self.results(batch_id)
        }

    def temporary_keys(self) -> list[str]:
        """Return what lies in the folders that cleanup should have emptied."""
        return self.objects.keys(layout.INPUT_ROOT) + self.objects.keys(layout.OUTPUT_ROOT)

    def batch(self, batch_id: str) -> Batch:
        batch = self.store.batch(batch_id)
        assert batch is not None
        return batch

    # ── the loop ──

    def post(self, message: BaseModel) -> None:
        self.queue.append(message)

    def run(self) -> None:
        """Handle messages until the queue is empty; one in whose handling the process died comes again."""
        while self.queue:
            message = self.queue[0]
            self.handled += 1
            if self.handled != self.drop:
                self.log.append(message)
                for _ in range(self.deliveries):
                    self._deliver(message)
            self.queue.popleft()

    def _deliver(self, message: BaseModel) -> None:
        try:
            self.handle(message)
        except Crash:
            self.handle(message)

    def handle(self, message: BaseModel) -> Done | Later | Refuse | None:
        """Handle one message as the worker would."""
        self.at_work = type(message).__name__
        try:
            outcome = self._decide(message)
            self._settle(message, outcome)
        except (PassingFault, Denied) as fault:
            outcome = Later(30, fault.message)
            self.later.append((self.now + timedelta(seconds=30), message))
        except LeaseLost:
            return None
        return outcome

    def _decide(self, message: BaseModel) -> Done | Later | Refuse:
        taken: list[Held] = []
        try:
            outcome = STAGES[type(message)](message, self.world(taken))
        except (PassingFault, Denied):
            self._let_go(taken)
            raise
        self._let_go(taken)
        return outcome

    def _let_go(self, taken: list[Held]) -> None:
        """Give leases back; one that cannot be given back ends by itself."""
        for held in taken:
            with suppress(Fault):
                self.heard.release(held)

    def _settle(self, message: BaseModel, outcome: Done | Later | Refuse) -> None:
        self._call("worker.publish")
        if isinstance(outcome, Later):
            self.later.append((self.now + timedelta(seconds=outcome.after), message))
        else:
            for follow in outcome.then:
                self.sent.append(follow) if isinstance(follow, Event) else self.queue.append(follow)
        if isinstance(outcome, Refuse):
            self.dead.append((message, outcome))
        else:
            self.facts += outcome.facts
        self._call("worker.delete")

    def world(self, taken: list[Held]) -> World:
        def hold(kind: Leased, id: str) -> Held | None:
            self.on_hold(f"{kind} {id}")
            held = self.heard.take(kind, id, self.lease_seconds)
            if held is not None:
                taken.append(held)
            return held

        return World(
            now=self.now,
            policy=self.policy,
            models=self.models,
            analyses=self.analyses,
            store=self.heard,
            objects=self.objects,
            jobs=self.jobs,
            local=self.local,
            hold=hold,
            checkpoint=lambda: self._call("checkpoint"),
        )

    def small_chunks(self, files: int) -> None:
        """Let a chunk hold only so many files."""
        self.policy = replace(self.policy, max_files_per_chunk=files)
