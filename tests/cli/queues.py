"""The local queues as tests of the command line look into them."""

import json
from typing import Any

from deploy.local import stack

ATTRIBUTES = ("error_code", "error_message")


def bodies(sqs: Any, queue: str) -> list[dict[str, Any]]:
    """Return the bodies that wait in a queue now."""
    answer = sqs.receive_message(QueueUrl=url_of(sqs, queue), MaxNumberOfMessages=10)
    return [json.loads(each["Body"]) for each in answer.get("Messages", ())]


def bury(sqs: Any, body: str, code: str = "unknown_model", queue: str = stack.SUBMIT_QUEUE) -> str:
    """Put a message among the dead letters as the worker would; returns its id."""
    values = dict(zip(ATTRIBUTES, (code, f"because of {code}"), strict=True))
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
    url = url_of(sqs, f"{queue}-dlq")
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    return str(sent["MessageId"])


def depth(sqs: Any, queue: str) -> int:
    """Count the messages a queue could hand out now."""
    name = "ApproximateNumberOfMessages"
    answer = sqs.get_queue_attributes(QueueUrl=url_of(sqs, queue), AttributeNames=[name])
    return int(answer["Attributes"][name])


def url_of(sqs: Any, queue: str) -> str:
    return str(sqs.get_queue_url(QueueName=queue)["QueueUrl"])
