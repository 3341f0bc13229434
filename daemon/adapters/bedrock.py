"""The port to Bedrock's batch inference jobs, spoken through boto3."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumers.core import faults
from consumers.core.jobs import JobReport, JobRequest
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.rows import JobCounts
from daemon.adapters.aws import code_of, fault_of, faults_of
from daemon.adapters.backoff import Backoff

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient

JOBS_A_PAGE = 1000  # AWS: ListModelInvocationJobs, maxResults
READS = Backoff(tries=4)
_ENDED = "ConflictException"  # AWS: StopModelInvocationJob
_OPEN = tuple(status for status in JobStatus if status not in JOB_ENDS)
_STATUSES = {status.value: status for status in JobStatus}


class BedrockJobs:
    """The batch jobs of this account and Region whose names begin with our prefix.

    ``client`` must not repeat calls by itself (``aws.make_client``): a second try that is throttled would
    hide that the first one, whose answer was lost, created the job. Calls that change nothing are repeated
    here.
    """

    def __init__(self, client: "BedrockClient", name_prefix: str, backoff: Backoff = READS) -> None:
        self._client = client
        self._prefix = name_prefix
        self._backoff = backoff

    def create(self, request: JobRequest) -> str:
        """Create a job and return its ARN; the same token again returns the same ARN.

        QuotaExceeded and Throttled say that no job was made; any other PassingFault leaves it open.
        """
        try:
            answer = self._client.create_model_invocation_job(
                jobName=request.name,
                clientRequestToken=request.token,
                modelId=request.model,
                roleArn=request.role_arn,
                inputDataConfig={"s3InputDataConfig": {"s3Uri": request.input_uri, "s3InputFormat": "JSONL"}},
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": request.output_uri}},
                timeoutDurationInHours=request.timeout_hours,
            )
        except (ClientError, BotoCoreError) as error:
            raise _creation_fault(error, request.name) from error
        return answer["jobArn"]

    def get(self, arn: str) -> JobReport:
        """Ask for one job by its full ARN."""
        return self._backoff.run(lambda: self._get(arn))

    def find(self, name: str, token: str) -> JobReport | None:
        """Find a job by its exact name or by our token, the newest first, through List."""
        found = self._list(nameContains=name, sortBy="CreationTime", sortOrder="Descending")
        return next((report for report in found if report.name == name or report.token == token), None)

    def since(self, when: datetime) -> Iterator[JobReport]:
        """List the jobs with our name prefix submitted after a time, oldest first, 1,000 a page."""
        found = self._list(
            nameContains=self._prefix, submitTimeAfter=when, sortBy="CreationTime", sortOrder="Ascending"
        )
        return (report for report in found if report.name.startswith(f"{self._prefix}-"))

    def open_anywhere(self) -> Iterator[JobReport]:
        """List the open jobs of the account in this Region, whoever's they are and whatever their names.

        Each status takes a call of its own, in the order jobs go through them: none slips past.
        """
        for status in _OPEN:
            yield from self._list(statusEquals=status.value)

    def stop(self, arn: str) -> None:
        """Ask a job to stop; a job that has ended already is no fault.

        One that Bedrock does not know is Missing: jobs are never deleted, so account or Region is wrong.
        """
        self._backoff.run(lambda: self._stop(arn))

    def _get(self, arn: str) -> JobReport:
        with faults_of("GetModelInvocationJob", arn):
            return _report(self._client.get_model_invocation_job(jobIdentifier=arn))

    def _stop(self, arn: str) -> None:
        with faults_of("StopModelInvocationJob", arn):
            try:
                self._client.stop_model_invocation_job(jobIdentifier=arn)
            except ClientError as error:
                if code_of(error) != _ENDED:
                    raise

    def _list(self, **asked: Any) -> Iterator[JobReport]:
        page: Mapping[str, Any] = {}
        while True:
            page = self._backoff.run(lambda: self._page(asked))
            yield from map(_report, page.get("invocationJobSummaries", ()))
            if not page.get("nextToken"):
                return
            asked["nextToken"] = page["nextToken"]

    def _page(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        with faults_of("ListModelInvocationJobs", f"named {asked.get('nameContains', 'anything')}"):
            return self._client.list_model_invocation_jobs(maxResults=JOBS_A_PAGE, **asked)


def _creation_fault(error: ClientError | BotoCoreError, name: str) -> faults.Fault:
    fault = fault_of(error, "CreateModelInvocationJob", name)
    # "The provided job name is currently in use" comes as either of the two.
    if fault.code == "ConflictException" or (
        fault.code == "ValidationException" and "currently in use" in fault.message
    ):
        return faults.NameTaken(fault.message, fault.code)
    if isinstance(fault, faults.Missing):
        return faults.Rejected(fault.message, fault.code)
    return fault


def _report(job: Mapping[str, Any]) -> JobReport:
    """Read a job as Get or List tells it; counts are new in 2026 and may be absent."""
    status = _STATUSES.get(job["status"])
    return JobReport(
        arn=job["jobArn"],
        name=job.get("jobName", ""),
        token=job.get("clientRequestToken", ""),
        # A status we do not know is not known to be an end: the job keeps its slot and grows overdue.
        status=status or JobStatus.IN_PROGRESS,
        message=job.get("message", "") if status else f"unknown status {job['status']!r}",
        counts=JobCounts(
            total=job.get("totalRecordCount"),
            processed=job.get("processedRecordCount"),
            succeeded=job.get("successRecordCount"),
            failed=job.get("errorRecordCount"),
        ),
        output_uri=job.get("outputDataConfig", {}).get("s3OutputDataConfig", {}).get("s3Uri", ""),
        submitted_at=_utc(job.get("submitTime")),
        ended_at=_utc(job.get("endTime")),
        model=job.get("modelId", ""),
        input_uri=job.get("inputDataConfig", {}).get("s3InputDataConfig", {}).get("s3Uri", ""),
    )


def _utc(time: datetime | None) -> datetime | None:
    return time and time.astimezone(UTC)
