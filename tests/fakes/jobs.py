"""Bedrock's batch jobs in memory, with the server's rules that callers meet."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from consumers.core.faults import Missing, NameTaken, QuotaExceeded, Rejected
from consumers.core.jobs import JobReport, JobRequest
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.rows import JobCounts
from tests.fakes.calls import Calls, OnCall, ignore

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9+.-]{0,62}")
TOKEN = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,255}")
FOLDER = re.compile(r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-zA-Z0-9]+)*/")
ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")


def ticking(start: datetime = datetime(2026, 1, 5, 10, tzinfo=UTC)) -> Callable[[], datetime]:
    """Make a clock that goes on by a second whenever it is read."""
    seconds = iter(range(10**9))
    return lambda: start + timedelta(seconds=next(seconds))


class FakeJobs:
    """The port ``Jobs``; jobs end when the test says so.

    ``foreign`` jobs of somebody else in the account take quota. With ``forgets_tokens`` only the name of a
    job tells that it exists; List shows a job only once it is as old as ``listed_after``.
    """

    def __init__(
        self,
        name_prefix: str = "novabatch",
        slots: int = 20,
        now: Callable[[], datetime] | None = None,
        on_call: OnCall = ignore,
    ) -> None:
        self.prefix = name_prefix
        self.slots = slots
        self.foreign = 0
        self.forgets_tokens = False
        self.listed_after = timedelta(0)
        self.requests: dict[str, JobRequest] = {}
        self.reports: dict[str, JobReport] = {}
        self.calls = Calls("jobs", on_call)
        self.fail_next = self.calls.fail_next
        self._now = now or ticking()
        self._by_token: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._open: Counter[str] = Counter()

    # ── what tests do behind the port's back ──

    @property
    def created(self) -> list[JobRequest]:
        """Return what was bought: one request for each job, in order; replays are not among them."""
        return list(self.requests.values())

    def arn(self, name: str) -> str:
        """Return the ARN of the job of a name."""
        return self._by_name[name]

    def finish(
        self,
        arn: str,
        status: JobStatus = JobStatus.COMPLETED,
        message: str = "",
        counts: JobCounts | None = None,
    ) -> JobReport:
        """End a job."""
        told = {"message": message, "counts": counts or JobCounts(), "ended_at": self._now()}
        return self._change(arn, status=status, **told)

    def move(self, arn: str, status: JobStatus) -> JobReport:
        """Bring an open job into another status."""
        return self._change(arn, status=status)

    # ── the port ──

    def create(self, request: JobRequest) -> str:
        self.calls.begin("create", request.name)
        arn = self._create(request)
        self.calls.end("create", request.name)
        return arn

    def get(self, arn: str) -> JobReport:
        self.calls.begin("get", arn)
        return self._find(arn)

    def find(self, name: str, token: str) -> JobReport | None:
        self.calls.begin("find", name)
        named_like_it = (job for job in self._listed() if name in job.name)
        return next((job for job in named_like_it if name == job.name or token == job.token), None)

    def since(self, when: datetime) -> Iterator[JobReport]:
        self.calls.begin("since", when.isoformat())
        newest_first = takewhile(lambda job: _submitted(job) > when, self._listed())
        for job in reversed(list(newest_first)):
            if job.name.startswith(f"{self.prefix}-"):
                yield job

    def open_anywhere(self) -> Iterator[JobReport]:
        self.calls.begin("open_anywhere", "")
        yield from [job for job in self.reports.values() if _is_open(job)]

    def stop(self, arn: str) -> None:
        self.calls.begin("stop", arn)
        if self._find(arn).status not in JOB_ENDS:
            self.move(arn, JobStatus.STOPPING)
        self.calls.end("stop", arn)

    def _create(self, request: JobRequest) -> str:
        _check(request)
        if request.token in self._by_token and not self.forgets_tokens:
            return self._by_token[request.token]
        if request.name in self._by_name:
            raise NameTaken("The provided job name is currently in use", "ConflictException")
        model = _base(request.model)
        if self._open[model] + self.foreign >= self.slots:
            raise QuotaExceeded("too many jobs are submitted or in progress", "ServiceQuotaExceededException")
        arn = f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/job{len(self.requests):09}"
        self.requests[arn] = request
        self._by_token[request.token] = self._by_name[request.name] = arn
        self._open[model] += 1
        self.reports[arn] = JobReport(
            arn=arn,
            name=request.name,
            token=request.token,
            status=JobStatus.SUBMITTED,
            message="",
            counts=JobCounts(),
            output_uri=request.output_uri,
            submitted_at=self._now(),
            ended_at=None,
            model=request.model,
            input_uri=request.input_uri,
        )
        return arn

    def _listed(self) -> Iterator[JobReport]:
        """Yield what List shows by now, newest first."""
        newest = reversed(self.reports.values())
        if not self.listed_after:
            return newest
        now = self._now()
        return (job for job in newest if _submitted(job) + self.listed_after <= now)

    def _change(self, arn: str, **values: Any) -> JobReport:
        before = self._find(arn)
        after = replace(before, **values)
        self._open[_base(self.requests[arn].model)] -= _is_open(before) - _is_open(after)
        self.reports[arn] = after
        return after

    def _find(self, arn: str) -> JobReport:
        if arn not in self.reports:
            raise Missing(f"no job {arn}")
        return self.reports[arn]


def _base(model: str) -> str:
    """Return what the quota counts, whichever profile a job was asked through."""
    return model.rpartition(".")[2]


def _is_open(job: JobReport) -> bool:
    return job.status not in JOB_ENDS


def _submitted(job: JobReport) -> datetime:
    assert job.submitted_at is not None
    return job.submitted_at


def _check(request: JobRequest) -> None:
    """Refuse what the server refuses and boto3 lets pass."""
    fits = {
        "jobName": NAME.fullmatch(request.name),
        "clientRequestToken": TOKEN.fullmatch(request.token),
        "s3InputDataConfig.s3Uri": FOLDER.fullmatch(request.input_uri),
        "s3OutputDataConfig.s3Uri": FOLDER.fullmatch(request.output_uri),
        "roleArn": ROLE.fullmatch(request.role_arn),
        "timeoutDurationInHours": 24 <= request.timeout_hours <= 168,
    }
    wrong = [name for name, fit in fits.items() if not fit]
    if wrong:
        raise Rejected(f"1 validation error detected: {', '.join(wrong)}", "ValidationException")
