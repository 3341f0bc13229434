"""The port to Bedrock's batch jobs, and the values that cross it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consumers.core import rows
from consumers.core.lifecycle import JobStatus


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What CreateModelInvocationJob is asked for; both URIs are folders with their slash."""

    name: str
    token: str
    model: str
    role_arn: str
    input_uri: str
    output_uri: str
    timeout_hours: int


@dataclass(frozen=True, slots=True)
class JobReport:
    """What Get or List tells of a job; ``model`` is an id or an ARN."""

    arn: str
    name: str
    token: str
    status: JobStatus
    message: str
    counts: rows.JobCounts
    output_uri: str
    submitted_at: datetime | None
    ended_at: datetime | None
    model: str = ""
    input_uri: str = ""


class Jobs(Protocol):
    """Bedrock's batch jobs. Calls raise faults: QuotaExceeded, Throttled, NameTaken, Rejected, Denied, ..."""

    def create(self, request: JobRequest) -> str:
        """Create a job and return its ARN; a PassingFault leaves open whether it exists."""

    def get(self, arn: str) -> JobReport:
        """Ask for one job by its full ARN."""

    def find(self, name: str, token: str) -> JobReport | None:
        """Find a job by its exact name or by our token, through List."""

    def since(self, when: datetime) -> Iterator[JobReport]:
        """List the jobs with our name prefix submitted after a time, 1,000 a page."""

    def open_anywhere(self) -> Iterator[JobReport]:
        """List the open jobs of the account in this Region, whoever's they are and whatever their names."""

    def stop(self, arn: str) -> None:
        """Ask a job to stop; a job that has ended already is no fault."""
