"""What every port to jobs does, the one in memory and Bedrock's alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.core.faults import Missing, NameTaken, QuotaExceeded, Rejected
from consumers.core.jobs import JobReport, JobRequest
from consumers.core.lifecycle import JobStatus
from tests.contracts.benches import FakeJobsBench, JobsBench, open_bedrock

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
UNKNOWN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/zzzzzzzzzzzz"


@pytest.fixture(params=["fake", "bedrock"])
def bench(request: pytest.FixtureRequest) -> Iterator[JobsBench]:
    if request.param == "fake":
        yield FakeJobsBench()
    else:
        yield from open_bedrock(request.getfixturevalue("fresh_aws"))


def job(name: str = "novabatch-a1b2c3-000-0f0f0f", model: str = "us.amazon.nova-2-lite-v1:0") -> JobRequest:
    return JobRequest(
        name=name,
        token=f"{name}-token",
        model=model,
        role_arn="arn:aws:iam::123456789012:role/novabatch-bedrock",
        input_uri="s3://media/nova_batch/job_20260105_100214_a1b2c3_000/",
        output_uri="s3://media/nova/batch/output/job_20260105_100214_a1b2c3_000/",
        timeout_hours=24,
    )


def names(reports: Iterator[JobReport]) -> list[str]:
    return [report.name for report in reports]


def test_a_job_created_can_be_asked_for(bench: JobsBench) -> None:
    request = job()
    arn = bench.port.create(request)
    report = bench.port.get(arn)
    assert (report.arn, report.name, report.token) == (arn, request.name, request.token)
    assert (report.status, report.message, report.ended_at) == (JobStatus.SUBMITTED, "", None)
    assert report.output_uri == request.output_uri
    assert report.submitted_at is not None
    assert report.submitted_at.utcoffset() == timedelta(0)


def test_the_same_token_again_is_the_same_job(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    assert bench.port.create(job()) == arn
    assert names(bench.port.since(LONG_AGO)) == [job().name]


def test_a_name_belongs_to_one_job_for_ever(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    bench.end(arn, job().name)
    with pytest.raises(NameTaken, match="currently in use"):
        bench.port.create(replace(job(), token="another"))


def test_jobs_beyond_the_quota_are_refused_until_one_ends(bench: JobsBench) -> None:
    bench.allow_jobs(2)
    first = bench.port.create(job("novabatch-1"))
    bench.port.create(job("novabatch-2"))
    with pytest.raises(QuotaExceeded):
        bench.port.create(job("novabatch-3"))
    assert bench.port.find("novabatch-3", "novabatch-3-token") is None
    bench.end(first, "novabatch-1")
    bench.port.create(job("novabatch-3"))


def test_a_replay_needs_no_room_under_the_quota(bench: JobsBench) -> None:
    bench.allow_jobs(1)
    assert bench.port.create(job()) == bench.port.create(job())


def test_the_quota_counts_the_base_model_whatever_profile_leads_to_it(bench: JobsBench) -> None:
    bench.allow_jobs(1)
    bench.port.create(job("novabatch-1", "us.amazon.nova-2-lite-v1:0"))
    with pytest.raises(QuotaExceeded):
        bench.port.create(job("novabatch-2", "global.amazon.nova-2-lite-v1:0"))
    bench.port.create(job("novabatch-3", "us.amazon.nova-lite-v1:0"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "with_underscore"},
        {"name": "n" * 64},
        {"token": "with:colon"},
        {"token": "ends-"},
        {"input_uri": "s3://media/with space/"},
        {"role_arn": "arn:aws:iam::123456789012:user/x"},
        {"timeout_hours": 23},
        {"timeout_hours": 169},
    ],
    ids=str,
)
def test_what_the_server_does_not_accept_is_rejected(bench: JobsBench, wrong: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        bench.port.create(replace(job(), **wrong))  # type: ignore[arg-type]


def test_a_job_is_found_by_its_exact_name_only(bench: JobsBench) -> None:
    arn = bench.port.create(job("novabatch-a-000-1"))
    bench.port.create(job("novabatch-a-000-12"))
    found = bench.port.find("novabatch-a-000-1", "no-such-token")
    assert found is not None
    assert found.arn == arn
    assert bench.port.find("novabatch-a-000", "no-such-token") is None


def test_a_job_is_found_by_its_token_where_the_name_has_grown(bench: JobsBench) -> None:
    arn = bench.port.create(replace(job("novabatch-a-000-1"), token="ours"))
    found = bench.port.find("novabatch-a-000", "ours")
    assert found is not None
    assert found.arn == arn


def test_jobs_are_listed_since_a_time_and_only_our_own(bench: JobsBench) -> None:
    for name in ("novabatch-1", "novabatch2-1", "other-novabatch-1", "novabatch-2"):
        bench.port.create(job(name))
    assert names(bench.port.since(LONG_AGO)) == ["novabatch-1", "novabatch-2"]
    second = bench.port.find("novabatch-2", "")
    assert second is not None
    assert second.submitted_at is not None
    assert names(bench.port.since(second.submitted_at + timedelta(seconds=1))) == []
    assert names(bench.port.since(second.submitted_at - timedelta(milliseconds=1)))[-1:] == ["novabatch-2"]


def test_a_listed_job_says_the_same_as_one_asked_for(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    assert list(bench.port.since(LONG_AGO)) == [bench.port.get(arn)]


def test_an_ended_job_has_its_time_of_end(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    status = bench.end(arn, job().name)
    report = bench.port.get(arn)
    assert report.status == status
    assert report.ended_at is not None
    assert report.submitted_at is not None
    assert report.ended_at >= report.submitted_at


def test_a_job_that_is_stopped_is_stopping_or_stopped(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    bench.port.stop(arn)
    assert bench.port.get(arn).status in (JobStatus.STOPPING, JobStatus.STOPPED)


def test_stopping_a_job_that_has_ended_is_no_fault(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    status = bench.end(arn, job().name)
    bench.port.stop(arn)
    assert bench.port.get(arn).status == status


def test_a_job_nobody_knows_is_missing(bench: JobsBench) -> None:
    with pytest.raises(Missing, match="zzzzzzzzzzzz"):
        bench.port.get(UNKNOWN)
    with pytest.raises(Missing, match="zzzzzzzzzzzz"):
        bench.port.stop(UNKNOWN)
    assert bench.port.find("novabatch-unknown", "unknown") is None


def test_a_job_that_ended_is_not_among_the_open_ones(bench: JobsBench) -> None:
    arn = bench.port.create(job())
    bench.end(arn, job().name)
    assert names(bench.port.open_anywhere()) == []


def test_open_jobs_of_anybody_are_listed_with_their_places(bench: JobsBench) -> None:
    request, theirs = job(), job("theirs-1")
    for each in (request, theirs):
        bench.port.create(each)
    found = {report.name: (report.input_uri, report.output_uri) for report in bench.port.open_anywhere()}
    assert found == {each.name: (each.input_uri, each.output_uri) for each in (request, theirs)}
