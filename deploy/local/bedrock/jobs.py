"""The jobs the emulated Bedrock holds, and the rules for taking in a new one."""

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.bedrock.errors import BedrockError, invalid
from deploy.local.bedrock.models import base_model
from deploy.local.faults import JobFault
from deploy.local.knobs import Knobs

TERMINAL = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
ID_LETTERS = string.ascii_lowercase + string.digits


@dataclass
class Counts:
    """How many records a job has, and what became of them."""

    total: int = 0
    processed: int = 0
    success: int = 0
    error: int = 0


@dataclass
class Job:
    """One model invocation job."""

    arn: str
    account: str
    region: str
    base_model: str
    request: dict[str, Any]
    submit_time: datetime
    last_modified: datetime
    status: str = "Submitted"
    message: str = ""
    end_time: datetime | None = None
    counts: Counts = field(default_factory=Counts)
    fault: JobFault | None = None
    record_ids: list[str] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)
    stopped_in: str = ""

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def name(self) -> str:
        """The name its creator gave it."""
        return str(self.request["jobName"])

    @property
    def input_uri(self) -> str:
        """Where its records and media are."""
        return str(self.request["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])

    @property
    def output_uri(self) -> str:
        """Under which folder its output goes."""
        return str(self.request["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.status in TERMINAL

    def move(self, status: str, message: str = "") -> None:
        """Go to another state."""
        self.status, self.message = status, message
        self.last_modified = datetime.now(UTC)
        self.end_time = self.last_modified if status in TERMINAL else None

    def describe(self, *, counts: bool) -> dict[str, Any]:
        """Return what Get answers; a summary in a List has the same members."""
        hours = self.request.get("timeoutDurationInHours", 24)
        shown = {
            "jobArn": self.arn,
            **self.request,
            "status": self.status,
            "message": self.message or None,
            "submitTime": stamp(self.submit_time),
            "lastModifiedTime": stamp(self.last_modified),
            "endTime": stamp(self.end_time) if self.end_time else None,
            "timeoutDurationInHours": hours,
            "jobExpirationTime": stamp(self.submit_time + timedelta(hours=hours)),
            "modelInvocationType": self.request.get("modelInvocationType", "InvokeModel"),
        }
        shown.pop("tags", None)
        if counts:
            shown |= {f"{name}RecordCount": number for name, number in vars(self.counts).items()}
        return {name: value for name, value in shown.items() if value is not None}


def stamp(moment: datetime) -> str:
    """Write a time as Bedrock does."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JobStore:
    """All jobs of all accounts and Regions."""

    def __init__(self, knobs: Knobs) -> None:
        self.lock = threading.RLock()
        self._knobs = knobs
        self._jobs: dict[str, Job] = {}

    def clear(self) -> None:
        """Forget all jobs."""
        with self.lock:
            self._jobs.clear()

    def all(self) -> list[Job]:
        """Return every job, oldest first."""
        with self.lock:
            return list(self._jobs.values())

    def of(self, account: str, region: str) -> list[Job]:
        """Return the jobs of one account and Region, oldest first."""
        return [job for job in self.all() if (job.account, job.region) == (account, region)]

    def holds(self, job: Job) -> bool:
        """Tell whether a job is still known: a reset forgets it."""
        with self.lock:
            return job.arn in self._jobs

    def get(self, arn: str) -> Job:
        """Return a job by its ARN."""
        with self.lock:
            if arn not in self._jobs:
                raise BedrockError("ResourceNotFoundException", f"Could not find the job {arn}.")
            return self._jobs[arn]

    def create(
        self, account: str, region: str, request: dict[str, Any], fault_for: Callable[[str], JobFault | None]
    ) -> tuple[Job, bool]:
        """Take in a request; return its job, and whether the job is new."""
        model = base_model(request["modelId"])
        with self.lock:
            others = self.of(account, region)
            replayed = next((o for o in others if _token(o.request) == _token(request)), None)
            if replayed and _token(request) and not self._knobs.forget_tokens:
                return replayed, False
            self._check_name(request["jobName"], others)
            self._check_quota(model, others)
            job = _new_job(account, region, model, request)
            job.fault = fault_for(job.name)
            self._jobs[job.arn] = job
            return job, True

    def _check_name(self, name: str, others: list[Job]) -> None:
        if any(job.name == name for job in others):
            raise BedrockError(self._knobs.duplicate_name_error, "The provided job name is currently in use")

    def _check_quota(self, model: str, others: list[Job]) -> None:
        limit = self._knobs.jobs_per_model
        ours = sum(job.base_model == model and not job.ended for job in others)
        if ours + self._knobs.foreign_jobs >= limit:
            raise BedrockError(
                "ServiceQuotaExceededException",
                f"Your account has reached the quota of {limit} submitted and in-progress batch inference "
                f"jobs for the model {model}. Wait for jobs to end, or request a quota increase.",
            )


def _token(request: dict[str, Any]) -> str | None:
    return request.get("clientRequestToken")


def _new_job(account: str, region: str, model: str, request: dict[str, Any]) -> Job:
    job_id = "".join(secrets.choice(ID_LETTERS) for _ in range(12))
    now = datetime.now(UTC)
    arn = f"arn:aws:bedrock:{region}:{account}:model-invocation-job/{job_id}"
    return Job(arn, account, region, model, request, submit_time=now, last_modified=now)


def check_arn(arn: str, account: str, region: str) -> None:
    """Refuse anything but a full ARN of this account and Region."""
    if not arn.startswith(f"arn:aws:bedrock:{region}:{account}:model-invocation-job/"):
        raise invalid("The provided ARN is invalid")
