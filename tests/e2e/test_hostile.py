"""Hostile messages through real queues and a real consumer, with good work among them."""

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from deploy.local import processes, stack
from tests.e2e.machine import Machine, machine
from tests.stages.hostile import HOSTILE

COUNT = 200
# SQS itself refuses an empty body and characters outside its set: they never reach a queue.
SENDABLE = [each for each in HOSTILE.values() if each.body and "\x00" not in each.body]
SMALL = [each for each in SENDABLE if len(each.body) < 10_000]
DEAD_QUEUE = f"{stack.SUBMIT_QUEUE}-dlq"


def send(running: Machine, bodies: list[str]) -> None:
    url = running.sqs.get_queue_url(QueueName=stack.SUBMIT_QUEUE)["QueueUrl"]
    for body in bodies:
        running.sqs.send_message(QueueUrl=url, MessageBody=body)


def dead_letters(running: Machine) -> list[dict[str, Any]]:
    """Take every dead letter."""
    url = running.sqs.get_queue_url(QueueName=DEAD_QUEUE)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while answer := running.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += answer
    return found


@pytest.mark.timeout(240)
def test_two_hundred_hostile_messages_are_buried_while_a_good_batch_goes_through(tmp_path: Path) -> None:
    hostile = [*SENDABLE, *islice(cycle(SMALL), COUNT - len(SENDABLE))]
    # Nobody dies here: a slow machine must not make a message come twice.
    with machine(tmp_path, NOVABATCH_VISIBILITY_TIMEOUT="30") as running:
        send(running, [each.body for each in hostile[: COUNT // 2]])
        batch_id = running.post("good", running.originals("good", 4))
        send(running, [each.body for each in hostile[COUNT // 2 :]])
        running.wait_for_end([batch_id])
        assert {line["outcome"] for line in running.results(batch_id)} == {"SUCCEEDED"}
        assert processes.wait_until(lambda: running.dead_letters(stack.SUBMIT_QUEUE) >= COUNT, 60)
        # A buried message is deleted after its dead letter was sent.
        assert processes.wait_until(lambda: running.is_drained(stack.SUBMIT_QUEUE), 30)
        letters = dead_letters(running)
    told = sorted((each["Body"], reason(each, "error_code")) for each in letters)
    assert told == sorted((each.body, each.code) for each in hostile)
    assert all(0 < len(reason(each, "error_message").encode()) <= 1024 for each in letters)
    first = json.loads(next(each["Body"] for each in letters if '"gpt-9"' in each["Body"]))
    assert first["model"] == "gpt-9"


def reason(letter: dict[str, Any], name: str) -> str:
    return str(letter["MessageAttributes"][name]["StringValue"])
