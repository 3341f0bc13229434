"""What the adapter makes of Bedrock's answers, from a server that answers as the test says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from consumers.core.faults import (
    Denied,
    Fault,
    Missing,
    NameTaken,
    PassingFault,
    QuotaExceeded,
    Rejected,
    Throttled,
)
from consumers.core.jobs import JobRequest
from consumers.core.lifecycle import JobStatus
from consumers.core.rows import JobCounts
from daemon.adapters.bedrock import BedrockJobs
from deploy.local.processes import Server
from tests.aws import bedrock_client
from tests.contracts.benches import AT_ONCE
from tests.http_stub import Reply, Request, Stub, serve

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghwxyz"
REQUEST = JobRequest(
    name="novabatch-a1b2c3-000-0f0f0f",
    token="novabatch-a1b2c3-000-0f0f0f-1",
    model="us.amazon.nova-2-lite-v1:0",
    role_arn="arn:aws:iam::123456789012:role/novabatch-bedrock",
    input_uri="s3://media/nova_batch/job_1/",
    output_uri="s3://media/nova/batch/output/job_1/",
    timeout_hours=24,
)
JOB: dict[str, Any] = {
    "jobArn": ARN,
    "jobName": REQUEST.name,
    "modelId": REQUEST.model,
    "roleArn": REQUEST.role_arn,
    "status": "InProgress",
    "submitTime": "2026-01-05T10:02:14Z",
    "inputDataConfig": {"s3InputDataConfig": {"s3Uri": REQUEST.input_uri}},
    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": REQUEST.output_uri}},
}
THROTTLED = "ThrottlingException"


def failed(code: str, status: int = 400, message: str = "said the stub") -> Reply:
    return Reply(status, json.dumps({"message": message}).encode(), {"x-amzn-errortype": code})


def told(**answer: Any) -> Reply:
    return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    left = iter(replies)
    return lambda _: next(left)


@contextmanager
def bedrock(*replies: Reply) -> Iterator[tuple[BedrockJobs, Stub]]:
    with serve(in_turn(*replies)) as stub:
        client = bedrock_client(stub.url)
        yield BedrockJobs(client, "novabatch", AT_ONCE), stub
        client.close()


# ── create ──


def test_a_job_is_asked_for_as_bedrock_wants_it() -> None:
    with bedrock(told(jobArn=ARN)) as (jobs, stub):
        assert jobs.create(REQUEST) == ARN
    assert json.loads(stub.requests[0].body) == {
        "jobName": REQUEST.name,
        "clientRequestToken": REQUEST.token,
        "modelId": REQUEST.model,
        "roleArn": REQUEST.role_arn,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": REQUEST.input_uri, "s3InputFormat": "JSONL"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": REQUEST.output_uri}},
        "timeoutDurationInHours": 24,
    }


IN_USE = "The provided job name is currently in use"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (failed("ServiceQuotaExceededException"), QuotaExceeded),
        (failed(THROTTLED, 429), Throttled),
        (failed("ConflictException", 400, IN_USE), NameTaken),
        (failed("ValidationException", 400, IN_USE), NameTaken),
        (failed("ValidationException", 400, "Batch inference is not supported"), Rejected),
        (failed("ResourceNotFoundException", 404), Rejected),
        (failed("AccessDeniedException", 403), Denied),
        (failed("InternalServerException", 500), PassingFault),
        (failed("ServiceUnavailableException", 503), PassingFault),
        (Reply(503, b"<html>"), PassingFault),
        (Reply(504), PassingFault),
        (Reply(silent=True), PassingFault),
        (failed("SomethingNew", 400), Rejected),
        (failed("SomethingNew", 599), PassingFault),
    ],
)
def test_every_answer_to_a_create_has_its_meaning(reply: Reply, kind: type[Fault]) -> None:
    with bedrock(reply) as (jobs, stub), pytest.raises(Fault) as caught:
        jobs.create(REQUEST)
    assert type(caught.value) is kind
    assert f"CreateModelInvocationJob {REQUEST.name}" in caught.value.message
    # A second try would be answered for itself and hide what became of the first.
    assert len(stub.requests) == 1


def test_a_denied_create_repeats_what_aws_says_of_the_permission() -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: r"
    with bedrock(failed("AccessDeniedException", 403, message)) as (jobs, _), pytest.raises(Denied) as caught:
        jobs.create(REQUEST)
    assert "iam:PassRole" in caught.value.message
    assert caught.value.code == "AccessDeniedException"


def test_a_job_whose_creation_was_not_answered_is_found_and_created_no_second_time(fresh_aws: Server) -> None:
    lost = {"service": "bedrock", "operation": "CreateModelInvocationJob", "lost_answer": True, "count": 1}
    fresh_aws.control.add_faults(calls=[lost])
    client = bedrock_client(fresh_aws.url)
    jobs = BedrockJobs(client, "novabatch", AT_ONCE)
    with pytest.raises(PassingFault) as caught:
        jobs.create(REQUEST)
    assert type(caught.value) is PassingFault
    found = jobs.find(REQUEST.name, REQUEST.token)
    assert found is not None
    assert jobs.create(REQUEST) == found.arn
    assert len(fresh_aws.control.jobs()) == 1
    client.close()


# ── get ──


def test_a_job_is_asked_for_by_its_whole_arn_as_one_segment_of_the_path() -> None:
    with bedrock(told(**JOB)) as (jobs, stub):
        jobs.get(ARN)
    assert stub.requests[0].path == f"/model-invocation-job/{quote(ARN, safe='')}"


def test_a_job_without_counts_token_or_message_is_read() -> None:
    with bedrock(told(**JOB)) as (jobs, _):
        report = jobs.get(ARN)
    assert (report.counts, report.token, report.message, report.ended_at) == (JobCounts(), "", "", None)
    assert report.submitted_at == datetime(2026, 1, 5, 10, 2, 14, tzinfo=UTC)


def test_counts_are_read_where_bedrock_has_them() -> None:
    counts = {
        "totalRecordCount": 200,
        "processedRecordCount": 67,
        "successRecordCount": 60,
        "errorRecordCount": 7,
    }
    with bedrock(told(**JOB, **counts)) as (jobs, _):
        assert jobs.get(ARN).counts == JobCounts(total=200, processed=67, succeeded=60, failed=7)


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_status_is_known(status: JobStatus) -> None:
    with bedrock(told(**{**JOB, "status": status.value, "message": "why"})) as (jobs, _):
        report = jobs.get(ARN)
    assert (report.status, report.message) == (status, "why")


def test_a_status_nobody_knows_yet_is_not_taken_for_an_end() -> None:
    with bedrock(told(**{**JOB, "status": "Hibernating"})) as (jobs, _):
        report = jobs.get(ARN)
    assert report.status == JobStatus.IN_PROGRESS
    assert "Hibernating" in report.message


def test_times_of_other_zones_become_utc() -> None:
    times = {"submitTime": "2026-01-05T12:02:14+02:00", "endTime": "2026-01-05T10:30:00.123Z"}
    with bedrock(told(**{**JOB, **times})) as (jobs, _):
        report = jobs.get(ARN)
    assert report.submitted_at == datetime(2026, 1, 5, 10, 2, 14, tzinfo=UTC)
    assert report.ended_at == datetime(2026, 1, 5, 10, 30, 0, 123_000, tzinfo=UTC)
    assert report.submitted_at.tzinfo is report.ended_at.tzinfo is UTC


def test_asking_is_tried_again_after_a_passing_fault() -> None:
    replies = (
        failed(THROTTLED, 429),
        Reply(silent=True),
        failed("InternalServerException", 500),
        told(**JOB),
    )
    with bedrock(*replies) as (jobs, _):
        assert jobs.get(ARN).arn == ARN


def test_asking_in_vain_is_throttled_in_the_end() -> None:
    with bedrock(*[failed(THROTTLED, 429)] * AT_ONCE.tries) as (jobs, _), pytest.raises(Throttled):
        jobs.get(ARN)


# ── list ──


def page(*names: str, token: str = "", **more: Any) -> Reply:
    summaries = [{**JOB, "jobName": name, "jobArn": f"{ARN[:-3]}{name[-3:]}", **more} for name in names]
    return told(invocationJobSummaries=summaries, **({"nextToken": token} if token else {}))


def test_every_page_is_read_a_thousand_jobs_each() -> None:
    pages = page("novabatch-001", token="t1"), page(token="t2"), failed(THROTTLED, 429), page("novabatch-002")
    with bedrock(*pages) as (jobs, stub):
        found = list(jobs.since(datetime(2026, 1, 5, tzinfo=UTC)))
    assert [report.name for report in found] == ["novabatch-001", "novabatch-002"]
    asked = [parse_qs(urlsplit(request.path).query) for request in stub.requests]
    assert [each.get("nextToken") for each in asked] == [None, ["t1"], ["t2"], ["t2"]]
    assert all(each["maxResults"] == ["1000"] and each["nameContains"] == ["novabatch"] for each in asked)
    assert asked[0]["submitTimeAfter"] == ["2026-01-05T00:00:00Z"]


def test_a_job_is_looked_for_on_every_page_newest_first() -> None:
    with bedrock(page("novabatch-0011", token="t"), page("novabatch-001")) as (jobs, stub):
        found = jobs.find("novabatch-001", "token")
    assert found is not None
    assert found.name == "novabatch-001"
    assert parse_qs(urlsplit(stub.requests[0].path).query)["sortOrder"] == ["Descending"]


def test_no_more_pages_are_read_once_the_job_is_found() -> None:
    with bedrock(page("novabatch-0012", token="t", clientRequestToken="ours")) as (jobs, _):
        found = jobs.find("novabatch-001", "ours")
    assert found is not None
    assert found.token == "ours"


# ── stop ──


def test_stopping_a_job_that_has_ended_is_quiet() -> None:
    with bedrock(failed("ConflictException", 400, "has ended")) as (jobs, _):
        jobs.stop(ARN)


def test_stopping_a_job_nobody_knows_is_missing() -> None:
    with bedrock(failed("ResourceNotFoundException", 404)) as (jobs, _), pytest.raises(Missing):
        jobs.stop(ARN)
