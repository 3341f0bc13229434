import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local import processes, stack
from tests.contracts.local_aws import LocalAws, until

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

QUEUE = stack.SUBMIT_QUEUE
DEAD = QUEUE + "-dlq"


def send(aws: LocalAws, body: str, queue: str = QUEUE, **options: Any) -> None:
    aws.sqs.send_message(QueueUrl=aws.queue(queue), MessageBody=body, **options)


def attributes(aws: LocalAws, queue: str) -> dict[str, str]:
    found = aws.sqs.get_queue_attributes(QueueUrl=aws.queue(queue), AttributeNames=["All"])
    return dict(found["Attributes"])


def arn(queue: str) -> str:
    return f"arn:aws:sqs:{stack.REGION}:{stack.ACCOUNT}:{queue}"


def change(aws: LocalAws, handle: str, seconds: int) -> None:
    aws.sqs.change_message_visibility(
        QueueUrl=aws.queue(QUEUE), ReceiptHandle=handle, VisibilityTimeout=seconds
    )


def move(aws: LocalAws, **options: Any) -> dict[str, Any]:
    aws.sqs.start_message_move_task(SourceArn=arn(DEAD), **options)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=arn(DEAD))["Results"]
    return dict(task)


def exhaust(aws: LocalAws) -> None:
    """Receive once too often, so that SQS itself moves the message."""
    for _ in range(stack.MAX_RECEIVE_COUNT):
        aws.receive(QUEUE, VisibilityTimeout=0, WaitTimeSeconds=1)
    until(lambda: not aws.receive(QUEUE, VisibilityTimeout=0, WaitTimeSeconds=0))


def test_the_stack_makes_each_queue_with_its_dead_letters(aws: LocalAws) -> None:
    for queue in (stack.SUBMIT_QUEUE, stack.STATE_QUEUE, stack.CLEANUP_QUEUE):
        found = attributes(aws, queue)
        assert (found["VisibilityTimeout"], found["MessageRetentionPeriod"]) == ("120", str(4 * 86_400))
        assert json.loads(found["RedrivePolicy"]) == {
            "deadLetterTargetArn": arn(queue + "-dlq"),
            "maxReceiveCount": 10,
        }
        assert attributes(aws, queue + "-dlq")["MessageRetentionPeriod"] == str(14 * 86_400)


def test_a_superseded_receipt_handle_deletes_nothing(aws: LocalAws) -> None:
    send(aws, "a")
    (first,) = aws.receive(QUEUE, VisibilityTimeout=0)
    (second,) = aws.receive(QUEUE)
    aws.sqs.delete_message(QueueUrl=aws.queue(QUEUE), ReceiptHandle=first["ReceiptHandle"])
    assert attributes(aws, QUEUE)["ApproximateNumberOfMessagesNotVisible"] == "1"
    aws.sqs.delete_message(QueueUrl=aws.queue(QUEUE), ReceiptHandle=second["ReceiptHandle"])
    assert attributes(aws, QUEUE)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_superseded_receipt_handle_cannot_extend_the_visibility(aws: LocalAws) -> None:
    send(aws, "a")
    (first,) = aws.receive(QUEUE, VisibilityTimeout=0)
    aws.receive(QUEUE)
    with pytest.raises(ClientError, match="not available for visibility timeout change"):
        change(aws, first["ReceiptHandle"], 60)


def test_visibility_ends_twelve_hours_after_the_first_receive(aws: LocalAws) -> None:
    send(aws, "a")
    (message,) = aws.receive(QUEUE)
    change(aws, message["ReceiptHandle"], 43_000)
    with pytest.raises(ClientError, match="beyond the limit"):
        change(aws, message["ReceiptHandle"], 43_200)


def test_a_batch_of_visibility_changes_reports_each_refusal(aws: LocalAws) -> None:
    send(aws, "a")
    (message,) = aws.receive(QUEUE)
    entries = [
        {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60},
        {"Id": "late", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43_200},
        {"Id": "wrong", "ReceiptHandle": "made-up", "VisibilityTimeout": 60},
    ]
    answer = aws.sqs.change_message_visibility_batch(QueueUrl=aws.queue(QUEUE), Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["good"]
    assert {each["Id"] for each in answer["Failed"]} == {"late", "wrong"}


def test_a_message_made_visible_again_wakes_a_waiting_receiver(aws: LocalAws) -> None:
    send(aws, "a")
    (message,) = aws.receive(QUEUE)
    change(aws, message["ReceiptHandle"], 0)
    assert aws.receive(QUEUE)[0]["Body"] == "a"


def test_what_sqs_itself_moved_goes_back_to_its_source(aws: LocalAws) -> None:
    send(aws, "poison")
    exhaust(aws)
    task = move(aws)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    (message,) = aws.receive(QUEUE)
    assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ("poison", "1")
    assert attributes(aws, DEAD)["ApproximateNumberOfMessages"] == "0"


def test_what_was_sent_to_the_dead_letters_directly_needs_a_destination(aws: LocalAws) -> None:
    told = {"error_code": {"DataType": "String", "StringValue": "INVALID"}}
    send(aws, "refused", DEAD, MessageAttributes=told)
    task = move(aws)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert move(aws, DestinationArn=arn(QUEUE))["Status"] == "COMPLETED"
    (message,) = aws.receive(QUEUE)
    assert message["MessageAttributes"]["error_code"]["StringValue"] == "INVALID"


def test_a_queue_without_sources_cannot_be_moved(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match="Dead Letter Queue"):
        aws.sqs.start_message_move_task(SourceArn=arn(QUEUE))


def test_a_character_that_sqs_does_not_carry_is_refused(aws: LocalAws) -> None:
    with pytest.raises(ClientError) as caught:
        send(aws, "a\u0000b")
    assert "InvalidMessageContents" in caught.value.response["Error"]["Code"]


def test_the_limit_of_a_message_counts_bytes_and_attributes(aws: LocalAws) -> None:
    attribute = {"note": {"DataType": "String", "StringValue": "x" * 100}}
    with pytest.raises(ClientError, match="must be shorter"):
        send(aws, "é" * 524_288, MessageAttributes=attribute)
    send(aws, "é" * 524_288)


def test_receiving_from_a_long_queue_stays_quick(aws: LocalAws) -> None:
    url = aws.queue(QUEUE)
    for start in range(0, 2000, 10):
        entries = [{"Id": str(number), "MessageBody": "x"} for number in range(start, start + 10)]
        aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    taken: list[dict[str, Any]] = []
    quick = processes.wait_until(lambda: len(taken.extend(aws.receive(QUEUE)) or taken) >= 200, seconds=4)  # type: ignore[func-returns-value]
    assert quick, f"20 receives did not fit into 4 seconds: {len(taken)} messages"
