"""The port to a queue, spoken through boto3's SQS client."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from consumers.core.faults import Fault, Rejected
from daemon.adapters.aws import configured, make_session
from daemon.adapters.burying import Burial
from daemon.adapters.combining import Combined
from daemon.adapters.sqs_entries import allowed_json, failed, fitting, sqs_faults
from daemon.mailbox import Depth, Letter, Received, Refusal

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

CALL_TIMEOUT = 10
_TIMES: Any = ("SentTimestamp", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount")
_DEPTHS: Any = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "MessageRetentionPeriod",
)


def make_client(
    wait: int, connections: int, region: str | None = None, timeout: float = CALL_TIMEOUT
) -> "SQSClient":
    """Make a client whose answers may take ``timeout`` seconds longer than a poll waits.

    Its calls are not repeated: the loop does that itself.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=wait + timeout,
        max_pool_connections=connections,
        tcp_keepalive=True,
        user_agent="novabatch",
    )
    with configured():
        return make_session(region).client("sqs", config=config)


class SqsOutlet:
    """A queue to send to. What several threads send at the same moment goes out in the same calls."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url
        self._together = Combined(self._send_all)

    def send(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        """Send bodies in as few calls as they fit in; returns those that did not get through, by position."""
        return self._together(bodies)

    def _send_all(self, groups: Sequence[Sequence[str]]) -> Sequence[Mapping[int, Refusal]]:
        refused = self._send_in_calls([body for group in groups for body in group])
        starts = accumulate((len(group) for group in groups), initial=0)
        return [
            {n: refused[first + n] for n in range(len(group)) if first + n in refused}
            for first, group in zip(starts, groups, strict=False)
        ]

    def _send_in_calls(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        safe = [allowed_json(body) for body in bodies]
        refused: dict[int, Refusal] = {}
        for positions in fitting([len(body.encode()) for body in safe]):
            refused.update(self._send({position: safe[position] for position in positions}))
        return refused

    def _send(self, bodies: Mapping[int, str]) -> Mapping[int, Refusal]:
        entries: Any = [{"Id": str(position), "MessageBody": body} for position, body in bodies.items()]
        try:
            with sqs_faults("SendMessageBatch", self.url):
                answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
        except Rejected as fault:  # an older queue takes less than a new one
            if len(bodies) == 1:
                return dict.fromkeys(bodies, Refusal(fault.code, fault.message, final=True))
            return {n: r for one in bodies for n, r in self._send({one: bodies[one]}).items()}
        return {int(id): refusal for id, refusal in failed(answer).items()}


class SqsMailbox(SqsOutlet):
    """A queue to receive from. ``poller`` is the client whose calls may wait as long as a poll does."""

    def __init__(
        self, client: "SQSClient", url: str, poller: "SQSClient", dead_url: str | None = None
    ) -> None:
        super().__init__(client, url)
        self.poller = poller
        self.dead_url = dead_url
        self._burial = Burial(client, dead_url) if dead_url else None

    def receive(self, count: int, wait: int, visibility: int) -> Sequence[Received]:
        """Wait for up to ``count`` messages and hide them from others for ``visibility`` seconds."""
        with sqs_faults("ReceiveMessage", self.url):
            answer = self.poller.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=wait,
                VisibilityTimeout=visibility,
                MessageSystemAttributeNames=_TIMES,
            )
        return [_received(message) for message in answer.get("Messages", ())]

    def extend(self, changes: Mapping[str, int]) -> Mapping[str, Refusal]:
        """Hide messages, given by receipt, for so many seconds from now; returns what failed."""

        def call(entries: Any) -> Any:
            for entry in entries:
                entry["VisibilityTimeout"] = changes[entry["ReceiptHandle"]]
            return self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

        return self._by_receipt("ChangeMessageVisibilityBatch", call, list(changes))

    def delete(self, receipts: Sequence[str]) -> Mapping[str, Refusal]:
        """Delete messages by their receipts; returns what failed."""

        def call(entries: Any) -> Any:
            return self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)

        return self._by_receipt("DeleteMessageBatch", call, list(dict.fromkeys(receipts)))

    def bury(self, letters: Sequence[Letter]) -> Sequence[bool | Fault]:
        """Put bodies among the dead letters with their reasons; answers for each as the port says."""
        return self._burial.bury(letters) if self._burial else [False] * len(letters)

    def depths(self) -> Mapping[str, Depth]:
        """Return how full the queue (``main``) and its dead letters (``dlq``) are."""
        urls = {"main": self.url, "dlq": self.dead_url}
        return {name: self._depth(url) for name, url in urls.items() if url}

    def _depth(self, url: str) -> Depth:
        with sqs_faults("GetQueueAttributes", url):
            found: Any = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTHS)["Attributes"]
        return Depth(*(int(found.get(name, 0)) for name in _DEPTHS))

    def _by_receipt(
        self, name: str, call: Callable[[Any], Any], receipts: Sequence[str]
    ) -> Mapping[str, Refusal]:
        if not receipts:
            return {}
        entries = [{"Id": str(number), "ReceiptHandle": each} for number, each in enumerate(receipts)]
        with sqs_faults(name, self.url):
            answer = call(entries)
        return {receipts[int(number)]: refusal for number, refusal in failed(answer).items()}


def open_outlet(client: "SQSClient", name: str) -> SqsOutlet:
    """Find a queue by name or URL; raises Missing if there is none."""
    url = _url_of(client, name)
    with sqs_faults("GetQueueAttributes", name):
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return SqsOutlet(client, url)


def open_mailbox(client: "SQSClient", poller: "SQSClient", name: str) -> SqsMailbox:
    """Find a queue by name or URL, and its dead letters by its RedrivePolicy."""
    url = _url_of(client, name)
    with sqs_faults("GetQueueAttributes", name):
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = found.get("Attributes", {}).get("RedrivePolicy")
    arn = json.loads(policy).get("deadLetterTargetArn") if policy else None
    return SqsMailbox(client, url, poller, _url_of_arn(client, arn) if arn else None)


def _url_of(client: "SQSClient", name: str) -> str:
    if "://" in name:
        return name
    with sqs_faults("GetQueueUrl", name):
        return client.get_queue_url(QueueName=name)["QueueUrl"]


def _url_of_arn(client: "SQSClient", arn: str) -> str:
    account, name = arn.split(":")[4:6]
    with sqs_faults("GetQueueUrl", arn):
        return client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def _received(message: Any) -> Received:
    told = message.get("Attributes", {})
    sent, first, receives = (int(told.get(name, 0)) for name in _TIMES)
    return Received(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message.get("Body", ""),
        sent_at=sent / 1000,
        first_received_at=first / 1000,
        receives=max(1, receives),
    )
