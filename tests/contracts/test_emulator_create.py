from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contracts.local_aws import LocalAws

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

S3_INPUT = "s3InputDataConfig"


def refusal(emulator: LocalAws, name: str = "novabatch-1", **changes: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        emulator.create(name, **changes)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"jobName": "nova_batch"},
        {"jobName": "nova/batch"},
        {"jobName": "-novabatch"},
        {"jobName": "n" * 64},
        {"jobName": "n" + "-" * 60 + "_"},
        {"clientRequestToken": "with_underscore"},
        {"clientRequestToken": "with:colon"},
        {"clientRequestToken": "dash-at-the-end-"},
        {"clientRequestToken": "t" * 257},
        {"roleArn": "arn:aws:iam::123:role/x"},
        {"roleArn": "novabatch"},
        {"timeoutDurationInHours": 23},
        {"timeoutDurationInHours": 169},
        {"timeoutDurationInHours": "24"},
        {"modelInvocationType": "Stream"},
        {"inputDataConfig": {S3_INPUT: {"s3Uri": "s3://bucket/with space/"}}},
        {"inputDataConfig": {S3_INPUT: {"s3Uri": "https://bucket/folder/"}}},
        {"inputDataConfig": {S3_INPUT: {"s3Uri": "s3://bucket/" + "x" * 1024}}},
        {"inputDataConfig": {S3_INPUT: {"s3Uri": "s3://bucket/a/", "s3InputFormat": "CSV"}}},
        {"inputDataConfig": {}},
        {"outputDataConfig": {}},
        {"tags": [{"key": str(number), "value": "x"} for number in range(201)]},
        {"vpcConfig": {"subnetIds": [], "securityGroupIds": ["sg-1"]}},
        {"vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": [f"sg-{n}" for n in range(6)]}},
    ],
    ids=lambda changes: str(changes)[:70],
)
def test_the_server_refuses_what_boto3_lets_pass(emulator: LocalAws, changes: dict[str, Any]) -> None:
    code, message = refusal(emulator, **changes)
    assert code == "ValidationException"
    assert "validation error" in message


def test_a_name_of_all_allowed_characters_is_taken(emulator: LocalAws) -> None:
    arn = emulator.create("a" * 20 + "---b.c+d", clientRequestToken="a--b-c", timeoutDurationInHours=168)
    job = emulator.get(arn)
    assert (job["jobName"], job["clientRequestToken"]) == ("a" * 20 + "---b.c+d", "a--b-c")
    assert job["timeoutDurationInHours"] == 168


def test_a_job_id_has_twelve_letters_or_digits(emulator: LocalAws) -> None:
    job_id = emulator.create().rsplit("/", 1)[-1]
    assert len(job_id) == 12
    assert job_id.isalnum()
    assert job_id == job_id.lower()


def test_a_replayed_token_returns_the_same_job(emulator: LocalAws) -> None:
    first = emulator.create(clientRequestToken="token1")
    assert emulator.create("novabatch-other", clientRequestToken="token1") == first
    assert len(emulator.control.jobs()) == 1


def test_a_replayed_token_is_answered_although_the_quota_is_used_up(emulator: LocalAws) -> None:
    emulator.control.set(jobs_per_model=1, step_seconds=60)
    first = emulator.create(clientRequestToken="token1")
    assert emulator.create(clientRequestToken="token1") == first


def test_a_name_stays_taken_after_the_job_has_ended(emulator: LocalAws) -> None:
    emulator.ended(emulator.create())
    assert refusal(emulator) == ("ConflictException", "The provided job name is currently in use")


def test_a_taken_name_can_be_reported_as_a_validation_error(emulator: LocalAws) -> None:
    emulator.control.set(duplicate_name_error="ValidationException")
    emulator.create()
    assert refusal(emulator) == ("ValidationException", "The provided job name is currently in use")


def test_a_token_can_be_forgotten_so_that_only_the_name_tells(emulator: LocalAws) -> None:
    emulator.control.set(forget_tokens=True)
    emulator.create(clientRequestToken="token1")
    with pytest.raises(ClientError, match="currently in use"):
        emulator.create(clientRequestToken="token1")


def test_jobs_of_somebody_else_take_quota(emulator: LocalAws) -> None:
    emulator.control.set(foreign_jobs=19)
    emulator.create("novabatch-1")
    assert refusal(emulator, "novabatch-2")[0] == "ServiceQuotaExceededException"
    emulator.control.set(foreign_jobs=18)
    emulator.create("novabatch-2")
    assert len(emulator.control.jobs()) == 2


def test_more_jobs_at_once_than_the_quota_are_refused_until_one_ends(emulator: LocalAws) -> None:
    emulator.control.set(jobs_per_model=2, step_seconds=60)
    first, _ = emulator.create("novabatch-1"), emulator.create("novabatch-2")
    code, _ = refusal(emulator, "novabatch-3")
    assert code == "ServiceQuotaExceededException"
    emulator.control.set(step_seconds=0)
    emulator.bedrock.stop_model_invocation_job(jobIdentifier=first)
    assert emulator.ended(first)["status"] == "Stopped"
    assert emulator.create("novabatch-3")


def test_the_quota_is_twenty_and_counts_each_base_model_for_itself(emulator: LocalAws) -> None:
    emulator.control.set(step_seconds=60)
    for number in range(20):
        emulator.create(f"novabatch-{number}")
    code, _ = refusal(emulator, "novabatch-one-more", modelId="global.amazon.nova-2-lite-v1:0")
    assert code == "ServiceQuotaExceededException"
    assert emulator.create("novabatch-pro", modelId="us.amazon.nova-pro-v1:0")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("us.amazon.nova-premier-v1:0", "Batch inference is not supported for the requested model."),
        ("us.amazon.nova-9-v1:0", "The provided model identifier is invalid."),
    ],
)
def test_a_model_that_runs_no_batches_is_refused(emulator: LocalAws, model: str, message: str) -> None:
    assert refusal(emulator, modelId=model) == ("ValidationException", message)


def test_a_model_may_be_named_by_its_arn(emulator: LocalAws) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0"
    assert emulator.get(emulator.create(modelId=arn))["modelId"] == arn
