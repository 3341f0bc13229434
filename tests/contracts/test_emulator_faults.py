import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError

from deploy.local import stack
from deploy.local.control import RefusedError
from tests.contracts.local_aws import AS_GIVEN, FOLDER, SUMMARY_PROMPT, LocalAws, text, until, video

pytest_plugins = ("tests.contracts.local_aws_fixtures",)


def copy(emulator: LocalAws) -> None:
    emulator.s3.copy_object(
        Bucket=emulator.bucket, Key="b", CopySource={"Bucket": emulator.bucket, "Key": "a"}
    )


def videos(emulator: LocalAws, number: int = 1) -> list[dict[str, Any]]:
    uri = emulator.put(FOLDER + "a.mp4")
    return [video(f"file-{each}:summary", uri, SUMMARY_PROMPT) for each in range(number)]


def written(line: dict[str, Any]) -> str:
    return str(line["modelOutput"]["output"]["message"]["content"][0]["text"])


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("s3", "CopyObject", "SlowDown", 503),
        ("sqs", "ReceiveMessage", "RequestThrottled", 400),
        ("bedrock", "CreateModelInvocationJob", "ThrottlingException", 429),
        ("bedrock", "GetModelInvocationJob", "InternalServerException", 500),
        ("events", "PutEvents", "InternalException", 400),
    ],
)
def test_a_call_fails_as_often_as_asked_and_with_the_type_asked(
    emulator: LocalAws, service: str, operation: str, code: str, status: int
) -> None:
    emulator.put("a")
    arn = emulator.create("novabatch-0")
    emulator.control.add_faults(
        calls=[{"service": service, "operation": operation, "code": code, "count": 1}]
    )
    calls: dict[str, Callable[[], Any]] = {
        "CopyObject": lambda: copy(emulator),
        "ReceiveMessage": lambda: emulator.receive(stack.CLEANUP_QUEUE, WaitTimeSeconds=0),
        "CreateModelInvocationJob": emulator.create,
        "GetModelInvocationJob": lambda: emulator.get(arn),
        "PutEvents": lambda: emulator.events.put_events(
            Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}]
        ),
    }
    with pytest.raises(ClientError) as caught:
        calls[operation]()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    calls[operation]()
    assert emulator.control.faults()["calls"][0]["hits"] == 1


def test_a_copy_can_fail_inside_an_answer_of_200(emulator: LocalAws) -> None:
    emulator.put("a")
    emulator.control.add_faults(calls=[{"operation": "CopyObject", "code": "InternalError", "status": 200}])
    with pytest.raises(ClientError, match="InternalError"):
        copy(emulator)


def test_a_fault_can_be_for_some_keys_only(emulator: LocalAws) -> None:
    emulator.control.add_faults(calls=[{"operation": "PutObject", "code": "SlowDown", "match": r"/x-\d"}])
    emulator.put("y-1")
    with pytest.raises(ClientError, match="SlowDown"):
        emulator.put("x-1")


def test_a_call_can_be_slow(emulator: LocalAws) -> None:
    emulator.control.add_faults(calls=[{"service": "s3", "operation": "ListBuckets", "latency": 0.3}])
    before = time.monotonic()
    emulator.s3.list_buckets()
    assert time.monotonic() - before >= 0.3


def test_a_ratio_strikes_a_part_of_the_calls(emulator: LocalAws) -> None:
    emulator.control.add_faults(calls=[{"operation": "ListBuckets", "code": "SlowDown", "ratio": 0.5}])
    failed = 0
    for _ in range(40):
        try:
            emulator.s3.list_buckets()
        except ClientError:
            failed += 1
    assert 8 < failed < 32


@pytest.mark.parametrize(("when", "made"), [("before", []), ("after", ["novabatch-1"])])
def test_a_call_is_held_before_or_after_it_is_carried_out_and_never_answered(
    emulator: LocalAws, when: str, made: list[str]
) -> None:
    hold = {"operation": "CreateModelInvocationJob", "hold": when, "count": 1}
    emulator.control.add_faults(calls=[hold])
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(emulator.create)
        held = until(lambda: emulator.control.faults()["calls"][0]["held"])
        assert held == ["CreateModelInvocationJob"]
        mine = emulator.control.calls_of(stack.ACCESS_KEY)
        assert mine["open"] == held
        assert mine["made"]["CreateModelInvocationJob"] == 1
        assert [job["name"] for job in emulator.control.jobs()] == made
        emulator.control.clear_faults()
        with pytest.raises(HTTPClientError):
            call.result(10)
    assert [job["name"] for job in emulator.control.jobs()] == made
    until(lambda: not emulator.control.calls_of(stack.ACCESS_KEY)["open"])


def test_a_fault_can_be_for_one_caller_only(emulator: LocalAws) -> None:
    emulator.control.add_faults(calls=[{"code": "SlowDown", "caller": "somebody"}])
    emulator.s3.list_buckets()
    session = boto3.Session("somebody", "secret", region_name=stack.REGION)
    other = session.client("s3", endpoint_url=emulator.url, config=AS_GIVEN)
    with pytest.raises(ClientError, match="SlowDown"):
        other.list_buckets()


def test_a_fault_can_let_some_calls_pass_first(emulator: LocalAws) -> None:
    skip = {"operation": "ListBuckets", "code": "SlowDown", "skip": 2, "count": 1}
    emulator.control.add_faults(calls=[skip])
    emulator.s3.list_buckets()
    emulator.s3.list_buckets()
    with pytest.raises(ClientError, match="SlowDown"):
        emulator.s3.list_buckets()
    emulator.s3.list_buckets()


@pytest.mark.parametrize("how", [True, "drop"])
def test_a_lost_answer_leaves_the_work_done(emulator: LocalAws, how: bool | str) -> None:
    emulator.control.add_faults(
        calls=[{"operation": "CreateModelInvocationJob", "lost_answer": how, "count": 1}]
    )
    with pytest.raises((ClientError, HTTPClientError)):
        emulator.create(clientRequestToken="token1")
    (job,) = emulator.control.jobs()
    assert job["token"] == "token1"
    assert emulator.create(clientRequestToken="token1") == job["arn"]


def test_a_body_is_cut_short_once(emulator: LocalAws) -> None:
    emulator.put("a", b"0123456789")
    emulator.control.add_faults(calls=[{"operation": "GetObject", "cut_body": 4, "count": 1}])
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        emulator.read("a")
    assert emulator.read("a") == b"0123456789"


def test_entries_of_a_queue_s_batch_fail_one_by_one(emulator: LocalAws) -> None:
    url = emulator.queue(stack.SUBMIT_QUEUE)
    emulator.control.add_faults(calls=[{"operation": "SendMessageBatch", "fail_entries": "bad"}])
    entries = [{"Id": body, "MessageBody": body} for body in ("good", "bad", "fine")]
    answer = emulator.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["good", "fine"]
    assert [(each["Id"], each["Code"]) for each in answer["Failed"]] == [("bad", "InternalError")]
    assert {each["Body"] for each in emulator.receive(stack.SUBMIT_QUEUE)} == {"good", "fine"}


def test_keys_of_a_deletion_fail_one_by_one(emulator: LocalAws) -> None:
    for key in ("keep & stay", "go"):
        emulator.put(key)
    emulator.control.add_faults(
        calls=[{"operation": "DeleteObjects", "fail_entries": "keep", "code": "AccessDenied"}]
    )
    objects = [{"Key": "keep & stay"}, {"Key": "go"}]
    answer = emulator.s3.delete_objects(Bucket=emulator.bucket, Delete={"Objects": objects})
    assert [each["Key"] for each in answer["Deleted"]] == ["go"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [("keep & stay", "AccessDenied")]
    assert emulator.keys("") == ["keep & stay"]


@pytest.mark.parametrize(
    ("fault", "ended", "lines"),
    [
        ({"outcome": "PartiallyCompleted", "missing_share": 0.4}, "PartiallyCompleted", 6),
        ({"outcome": "Expired", "missing_share": 0.9}, "Expired", 1),
        ({"outcome": "Stopped"}, "Stopped", 5),
    ],
)
def test_a_job_can_end_with_a_part_of_its_records(
    emulator: LocalAws, fault: dict[str, Any], ended: str, lines: int
) -> None:
    emulator.control.add_faults(jobs=[{"name": "novabatch", **fault}])
    job, found = emulator.run([text(str(number)) for number in range(10)])
    assert (job["status"], len(found), job["totalRecordCount"]) == (ended, lines, 10)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"outcome": "Failed", "message": "No access to the bucket."}, "Failed"),
        ({"outcome": "Expired", "state": "Scheduled", "message": "No access to the bucket."}, "Expired"),
    ],
)
def test_a_job_can_end_without_output(emulator: LocalAws, fault: dict[str, Any], status: str) -> None:
    emulator.control.set(min_records=1)
    emulator.control.add_faults(jobs=[{**fault, "count": 1}])
    emulator.put_manifest([text("a")])
    job = emulator.ended(emulator.create("novabatch-1"))
    assert (job["status"], job["message"]) == (status, "No access to the bucket.")
    assert emulator.keys("nova/batch/output/") == []
    assert emulator.ended(emulator.create("novabatch-2"))["status"] == "Completed"


def test_a_record_fails_the_first_times_it_is_seen(emulator: LocalAws) -> None:
    fault = {"record": "file-1:", "attempts": 2, "code": 503, "message": "Try later.", "retryable": True}
    emulator.control.add_faults(records=[fault])
    outcomes = []
    for number in range(3):
        _, lines = emulator.run(videos(emulator, 2), jobName=f"novabatch-{number}")
        assert "modelOutput" in lines["file-0:summary"]
        outcomes.append(lines["file-1:summary"].get("error"))
    expected = {"errorCode": 503, "errorMessage": "Try later.", "expired": False, "retryable": True}
    assert outcomes == [expected, expected, None]


def test_a_record_can_be_missing_from_the_output(emulator: LocalAws) -> None:
    emulator.control.add_faults(records=[{"record": "file-1:", "action": "missing"}])
    job, lines = emulator.run(videos(emulator, 3))
    assert sorted(lines) == ["file-0:summary", "file-2:summary"]
    assert (job["totalRecordCount"], job["processedRecordCount"]) == (3, 2)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("truncate", "max_tokens"),
        ("empty", "content_filtered"),
        ("fence", "end_turn"),
        ("bad_escape", "end_turn"),
        ("prose", "end_turn"),
    ],
)
def test_an_answer_can_be_spoilt(emulator: LocalAws, action: str, reason: str) -> None:
    emulator.control.add_faults(records=[{"record": "file-0:", "action": action}])
    _, lines = emulator.run(videos(emulator))
    line = lines["file-0:summary"]
    assert line["modelOutput"]["stopReason"] == reason
    answer = written(line)
    assert (answer == "") == (action == "empty")
    if action == "fence":
        assert json.loads(answer.removeprefix("```json").removesuffix("```"))["depth"] == "brief"
    else:
        with pytest.raises(ValueError, match=r"."):
            json.loads(answer)


def test_events_can_be_dropped(emulator: LocalAws) -> None:
    emulator.wire()
    emulator.control.add_faults(
        events={"drop_statuses": ["Submitted", "Validating", "Scheduled", "InProgress"]}
    )
    emulator.run([text("a")])
    assert [event["detail"]["status"] for event in emulator.state_events(1)] == ["Completed"]


def test_events_can_be_doubled_and_shuffled(emulator: LocalAws) -> None:
    emulator.wire()
    emulator.control.add_faults(events={"duplicate_events": 1, "shuffle_events": True})
    emulator.run([text("a")])
    ids = [event["id"] for event in emulator.state_events(10)]
    assert len(ids) == 2 * len(set(ids))


def test_an_unknown_fault_or_setting_is_refused_by_name(emulator: LocalAws) -> None:
    with pytest.raises(RefusedError, match="speling"):
        emulator.control.add_faults(calls=[{"speling": 1}])
    with pytest.raises(RefusedError, match="speed"):
        emulator.control.set(speed=1)
    with pytest.raises(RefusedError, match="step_seconds"):
        emulator.control.set(step_seconds="fast")


def test_the_calls_show_what_was_asked_and_the_jobs_what_was_bought(emulator: LocalAws) -> None:
    emulator.control.add_faults(records=[{"record": "file-1:"}])
    emulator.run(videos(emulator, 2), clientRequestToken="token1")
    assert emulator.control.calls()["bedrock"]["CreateModelInvocationJob"] == {"total": 1, "200": 1}
    (job,) = emulator.control.jobs()
    assert (job["name"], job["token"], job["status"]) == ("novabatch-1", "token1", "Completed")
    assert (job["records"], job["bought"]) == (["file-0:summary", "file-1:summary"], ["file-0:summary"])
