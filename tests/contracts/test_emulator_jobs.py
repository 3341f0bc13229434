from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.contracts.local_aws import LocalAws, text, until

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

LIFE = ["Submitted", "Validating", "Scheduled", "InProgress", "Completed"]


def code_of(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def required(*path: str) -> set[str]:
    """The members botocore's own model promises in an answer."""
    shape: Any = (
        botocore.session.get_session().get_service_model("bedrock").operation_model(path[0]).output_shape
    )
    for name in path[1:]:
        shape = shape.members[name]
    return set(getattr(shape, "member", shape).required_members)


def test_an_answer_to_get_holds_every_member_botocore_promises(emulator: LocalAws) -> None:
    job, _ = emulator.run([text("a")])
    assert required("GetModelInvocationJob") <= set(job)
    assert isinstance(job["submitTime"], datetime)
    assert job["endTime"] >= job["submitTime"]
    counts = [job[f"{name}RecordCount"] for name in ("total", "processed", "success", "error")]
    assert counts == [1, 1, 1, 0]


def test_a_summary_in_a_list_has_the_members_of_get(emulator: LocalAws) -> None:
    job, _ = emulator.run([text("a")], clientRequestToken="token1")
    (summary,) = emulator.bedrock.list_model_invocation_jobs()["invocationJobSummaries"]
    assert required("ListModelInvocationJobs", "invocationJobSummaries") <= set(summary)
    job.pop("ResponseMetadata")
    assert summary == job
    assert summary["clientRequestToken"] == "token1"


def test_counts_may_be_left_out_as_older_answers_did(emulator: LocalAws) -> None:
    emulator.control.set(report_counts=False)
    job, _ = emulator.run([text("a")])
    assert not [name for name in job if name.endswith("RecordCount")]


def test_jobs_run_for_as_long_as_asked_and_not_all_alike(emulator: LocalAws) -> None:
    emulator.control.set(run_seconds=0.5, run_spread=0.5)
    took = []
    for number in range(4):
        job, _ = emulator.run([text("a")], jobName=f"novabatch-{number}")
        took.append((job["endTime"] - job["submitTime"]).total_seconds())
    assert min(took) >= 0.25
    assert max(took) - min(took) > 0.05


def test_a_bare_job_id_is_refused_by_get_and_stop(emulator: LocalAws) -> None:
    bare = emulator.create().rsplit("/", 1)[-1]
    expected = ("ValidationException", "The provided ARN is invalid")
    assert code_of(emulator.bedrock.get_model_invocation_job, jobIdentifier=bare) == expected
    assert code_of(emulator.bedrock.stop_model_invocation_job, jobIdentifier=bare) == expected


def test_an_unknown_job_is_not_found(emulator: LocalAws) -> None:
    arn = emulator.create()[:-12] + "0" * 12
    code, _ = code_of(emulator.bedrock.get_model_invocation_job, jobIdentifier=arn)
    assert code == "ResourceNotFoundException"


def test_a_stopped_job_keeps_the_output_of_what_it_did(emulator: LocalAws) -> None:
    emulator.control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
    emulator.control.set(min_records=1)
    emulator.put_manifest([text(str(number)) for number in range(10)])
    arn = emulator.create()
    until(lambda: emulator.get(arn)["status"] == "InProgress")
    emulator.bedrock.stop_model_invocation_job(jobIdentifier=arn)
    job = emulator.ended(arn)
    assert (job["status"], job["totalRecordCount"], job["processedRecordCount"]) == ("Stopped", 10, 5)
    assert len(emulator.lines(job)) == 5


def test_a_job_stopped_before_it_began_has_no_output(emulator: LocalAws) -> None:
    emulator.control.add_faults(jobs=[{"outcome": "stuck", "state": "Scheduled"}])
    emulator.control.set(min_records=1)
    emulator.put_manifest([text("a")])
    arn = emulator.create()
    emulator.bedrock.stop_model_invocation_job(jobIdentifier=arn)
    assert emulator.ended(arn)["status"] == "Stopped"
    assert emulator.keys("nova/batch/output/") == []


def test_an_ended_job_cannot_be_stopped(emulator: LocalAws) -> None:
    job, _ = emulator.run([text("a")])
    code, _ = code_of(emulator.bedrock.stop_model_invocation_job, jobIdentifier=job["jobArn"])
    assert code == "ConflictException"


def test_every_state_is_told_by_an_event_in_the_queue(emulator: LocalAws) -> None:
    emulator.wire()
    job, _ = emulator.run([text("a")])
    events = emulator.state_events(5)
    assert [event["detail"]["status"] for event in events] == LIFE
    last = events[-1]
    assert set(last) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert (last["source"], last["detail-type"]) == ("aws.bedrock", "Batch Inference Job State Change")
    assert (last["account"], last["region"]) == ("123456789012", "us-east-1")
    assert last["resources"] == [job["jobArn"]]
    assert last["time"].endswith(f"UTC {datetime.now(UTC).year}")
    assert set(last["detail"]) == {
        "version", "accountId", "batchJobName", "batchJobArn", "batchModelId", "status", "failureMessage",
        "creationTime",
    }  # fmt: skip
    assert last["detail"]["batchJobName"] == "novabatch-1"


def test_the_rule_passes_only_jobs_of_the_prefix(emulator: LocalAws) -> None:
    emulator.wire()
    emulator.ended(emulator.create("foreign-1"))
    emulator.ended(emulator.create("novabatch-1"))
    names = {event["detail"]["batchJobName"] for event in emulator.state_events(3)}
    assert names == {"novabatch-1"}


def test_a_failed_job_tells_why_in_its_event(emulator: LocalAws) -> None:
    emulator.wire()
    job = emulator.ended(emulator.create())
    assert emulator.state_events(3)[-1]["detail"]["failureMessage"] == job["message"]


@pytest.fixture
def three_jobs(emulator: LocalAws) -> LocalAws:
    emulator.control.set(step_seconds=60)
    for name in ("novabatch-a-1", "novabatch-a-2", "novabatch-b-1"):
        emulator.create(name)
    return emulator


def names(emulator: LocalAws, **query: Any) -> list[str]:
    found = emulator.bedrock.list_model_invocation_jobs(**query)["invocationJobSummaries"]
    return [summary["jobName"] for summary in found]


def test_a_list_begins_with_the_newest_job(three_jobs: LocalAws) -> None:
    assert names(three_jobs) == ["novabatch-b-1", "novabatch-a-2", "novabatch-a-1"]
    ascending = names(three_jobs, sortBy="CreationTime", sortOrder="Ascending")
    assert ascending == ["novabatch-a-1", "novabatch-a-2", "novabatch-b-1"]


def test_a_list_is_filtered_by_name_status_and_time(three_jobs: LocalAws) -> None:
    assert names(three_jobs, nameContains="a-") == ["novabatch-a-2", "novabatch-a-1"]
    assert names(three_jobs, statusEquals="Completed") == []
    assert len(names(three_jobs, statusEquals="Submitted")) == 3
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert len(names(three_jobs, submitTimeAfter=now - hour, submitTimeBefore=now + hour)) == 3
    assert names(three_jobs, submitTimeAfter=now + hour) == []
    assert names(three_jobs, submitTimeBefore=now - hour) == []


def test_a_list_is_paged_by_token(three_jobs: LocalAws) -> None:
    pages = three_jobs.bedrock.get_paginator("list_model_invocation_jobs").paginate(maxResults=2)
    sizes = [len(page["invocationJobSummaries"]) for page in pages]
    assert sizes == [2, 1]


@pytest.mark.parametrize(
    "query",
    [
        {"maxResults": 1001},
        {"maxResults": 0},
        {"statusEquals": "Done"},
        {"sortBy": "Name"},
        {"sortOrder": "Up"},
        {"nextToken": "made-up"},
        {"nameContains": "with_underscore"},
    ],
    ids=str,
)
def test_a_list_refuses_a_wrong_query(emulator: LocalAws, query: dict[str, Any]) -> None:
    code, _ = code_of(emulator.bedrock.list_model_invocation_jobs, **query)
    assert code == "ValidationException"


def test_a_model_and_its_profile_are_described_with_every_member_botocore_promises(
    emulator: LocalAws,
) -> None:
    profile = emulator.bedrock.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-2-lite-v1:0")
    assert required("GetInferenceProfile") <= set(profile)
    details = emulator.bedrock.get_foundation_model(modelIdentifier="amazon.nova-2-lite-v1:0")["modelDetails"]
    assert required("GetFoundationModel", "modelDetails") <= set(details)
    assert [each["modelArn"] for each in profile["models"]] == [details["modelArn"]]


@pytest.mark.parametrize(
    "name", ["eu.amazon.nova-lite-v1:0", "us.amazon.nova-9-v1:0", "amazon.nova-lite-v1:0"]
)
def test_a_profile_of_another_geography_or_of_no_model_is_not_there(emulator: LocalAws, name: str) -> None:
    code, _ = code_of(emulator.bedrock.get_inference_profile, inferenceProfileIdentifier=name)
    assert code == "ResourceNotFoundException"


@pytest.mark.parametrize("name", ["us.amazon.nova-lite-v1:0", "no model", "amazon.nova-9-v1:0"])
def test_only_an_id_of_a_foundation_model_names_one(emulator: LocalAws, name: str) -> None:
    code, _ = code_of(emulator.bedrock.get_foundation_model, modelIdentifier=name)
    assert code == "ValidationException"
