"""How a queue and its dead letters are set up."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.adapters.sqs_entries import sqs_faults

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ASKED: Any = ("QueueArn", "MessageRetentionPeriod", "RedrivePolicy", "Policy")


@dataclass(frozen=True, slots=True)
class QueueSetup:
    """A queue as its owner made it; ``max_receives`` None without dead letters, ``policy`` its JSON text."""

    arn: str
    retention_seconds: int
    max_receives: int | None
    policy: str


def setup_of(client: "SQSClient", url: str) -> QueueSetup:
    """Ask how a queue is set up."""
    with sqs_faults("GetQueueAttributes", url):
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=_ASKED)["Attributes"]
    redrive = json.loads(found.get("RedrivePolicy") or "{}").get("maxReceiveCount")
    return QueueSetup(
        arn=found["QueueArn"],
        retention_seconds=int(found.get("MessageRetentionPeriod", 0)),
        max_receives=None if redrive is None else int(redrive),
        policy=found.get("Policy", ""),
    )
