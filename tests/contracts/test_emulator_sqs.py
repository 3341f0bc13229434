import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local import processes, stack
from tests.contracts.local_aws import LocalAws, until

pytest_plugins = ("tests.contracts.local_aws_fixtures",)

QUEUE = stack.SUBMIT_QUEUE
DEAD = QUEUE + "-dlq"
MAX_RECEIVES = 10


def send(emulator: LocalAws, body: str, queue: str = QUEUE, **options: Any) -> None:
    emulator.sqs.send_message(QueueUrl=emulator.queue(queue), MessageBody=body, **options)


def attributes(emulator: LocalAws, queue: str) -> dict[str, str]:
    found = emulator.sqs.get_queue_attributes(QueueUrl=emulator.queue(queue), AttributeNames=["All"])
    return dict(found["Attributes"])


def arn(queue: str) -> str:
    return f"arn:aws:sqs:{stack.REGION}:{stack.ACCOUNT}:{queue}"


def change(emulator: LocalAws, handle: str, seconds: int) -> None:
    emulator.sqs.change_message_visibility(
        QueueUrl=emulator.queue(QUEUE), ReceiptHandle=handle, VisibilityTimeout=seconds
    )


def move(emulator: LocalAws, **options: Any) -> dict[str, Any]:
    emulator.sqs.start_message_move_task(SourceArn=arn(DEAD), **options)
    (task,) = emulator.sqs.list_message_move_tasks(SourceArn=arn(DEAD))["Results"]
    return dict(task)


def exhaust(emulator: LocalAws) -> None:
    """Receive once too often, so that SQS itself moves the message."""
    for _ in range(MAX_RECEIVES):
        emulator.receive(QUEUE, VisibilityTimeout=0, WaitTimeSeconds=1)
    until(lambda: not emulator.receive(QUEUE, VisibilityTimeout=0, WaitTimeSeconds=0))


def test_the_stack_makes_each_queue_with_its_dead_letters(emulator: LocalAws) -> None:
    for queue in (stack.SUBMIT_QUEUE, stack.STATE_QUEUE, stack.CLEANUP_QUEUE):
        found = attributes(emulator, queue)
        assert (found["VisibilityTimeout"], found["MessageRetentionPeriod"]) == ("120", str(4 * 86_400))
        assert json.loads(found["RedrivePolicy"]) == {
            "deadLetterTargetArn": arn(queue + "-dlq"),
            "maxReceiveCount": MAX_RECEIVES,
        }
        assert attributes(emulator, queue + "-dlq")["MessageRetentionPeriod"] == str(14 * 86_400)


def test_a_superseded_receipt_handle_deletes_nothing(emulator: LocalAws) -> None:
    send(emulator, "a")
    (first,) = emulator.receive(QUEUE, VisibilityTimeout=0)
    (second,) = emulator.receive(QUEUE)
    emulator.sqs.delete_message(QueueUrl=emulator.queue(QUEUE), ReceiptHandle=first["ReceiptHandle"])
    assert attributes(emulator, QUEUE)["ApproximateNumberOfMessagesNotVisible"] == "1"
    emulator.sqs.delete_message(QueueUrl=emulator.queue(QUEUE), ReceiptHandle=second["ReceiptHandle"])
    assert attributes(emulator, QUEUE)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_superseded_receipt_handle_cannot_extend_the_visibility(emulator: LocalAws) -> None:
    send(emulator, "a")
    (first,) = emulator.receive(QUEUE, VisibilityTimeout=0)
    emulator.receive(QUEUE)
    with pytest.raises(ClientError, match="not available for visibility timeout change"):
        change(emulator, first["ReceiptHandle"], 60)


def test_messages_in_somebodys_hands_can_be_made_visible_before_their_time(emulator: LocalAws) -> None:
    send(emulator, "a")
    assert emulator.receive(QUEUE)
    assert emulator.control.return_messages(QUEUE) == 1
    assert [message["Body"] for message in emulator.receive(QUEUE)] == ["a"]


def test_visibility_ends_twelve_hours_after_the_first_receive(emulator: LocalAws) -> None:
    send(emulator, "a")
    (message,) = emulator.receive(QUEUE)
    change(emulator, message["ReceiptHandle"], 43_000)
    with pytest.raises(ClientError, match="beyond the limit"):
        change(emulator, message["ReceiptHandle"], 43_200)


def test_a_batch_of_visibility_changes_reports_each_refusal(emulator: LocalAws) -> None:
    send(emulator, "a")
    (message,) = emulator.receive(QUEUE)
    entries = [
        {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60},
        {"Id": "late", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 43_200},
        {"Id": "wrong", "ReceiptHandle": "made-up", "VisibilityTimeout": 60},
    ]
    answer = emulator.sqs.change_message_visibility_batch(QueueUrl=emulator.queue(QUEUE), Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["good"]
    assert {each["Id"] for each in answer["Failed"]} == {"late", "wrong"}


def test_a_message_made_visible_again_wakes_a_waiting_receiver(emulator: LocalAws) -> None:
    send(emulator, "a")
    (message,) = emulator.receive(QUEUE)
    change(emulator, message["ReceiptHandle"], 0)
    assert emulator.receive(QUEUE)[0]["Body"] == "a"


def test_what_sqs_itself_moved_goes_back_to_its_source(emulator: LocalAws) -> None:
    send(emulator, "poison")
    exhaust(emulator)
    task = move(emulator)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    (message,) = emulator.receive(QUEUE)
    assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ("poison", "1")
    assert attributes(emulator, DEAD)["ApproximateNumberOfMessages"] == "0"


def test_what_was_sent_to_the_dead_letters_directly_needs_a_destination(emulator: LocalAws) -> None:
    told = {"error_code": {"DataType": "String", "StringValue": "INVALID"}}
    send(emulator, "refused", DEAD, MessageAttributes=told)
    task = move(emulator)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert move(emulator, DestinationArn=arn(QUEUE))["Status"] == "COMPLETED"
    (message,) = emulator.receive(QUEUE)
    assert message["MessageAttributes"]["error_code"]["StringValue"] == "INVALID"


def test_a_queue_without_sources_cannot_be_moved(emulator: LocalAws) -> None:
    emulator.wire()
    with pytest.raises(ClientError, match="Dead Letter Queue"):
        emulator.sqs.start_message_move_task(SourceArn=arn(QUEUE))


def test_a_character_that_sqs_does_not_carry_is_refused(emulator: LocalAws) -> None:
    with pytest.raises(ClientError) as caught:
        send(emulator, "a\u0000b")
    assert "InvalidMessageContents" in caught.value.response["Error"]["Code"]


def test_the_limit_of_a_message_counts_bytes_and_attributes(emulator: LocalAws) -> None:
    attribute = {"note": {"DataType": "String", "StringValue": "x" * 100}}
    with pytest.raises(ClientError, match="must be shorter"):
        send(emulator, "é" * 524_288, MessageAttributes=attribute)
    send(emulator, "é" * 524_288)


def test_receiving_from_a_long_queue_stays_quick(emulator: LocalAws) -> None:
    url = emulator.queue(QUEUE)
    for start in range(0, 2000, 10):
        entries = [{"Id": str(number), "MessageBody": "x"} for number in range(start, start + 10)]
        emulator.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    taken: list[dict[str, Any]] = []

    def enough() -> bool:
        taken.extend(emulator.receive(QUEUE))
        return len(taken) >= 200

    assert processes.wait_until(enough, seconds=5), f"only {len(taken)} messages were received in 5 seconds"
