"""The port to a queue, spoken through boto3's SQS client."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from consumers.core import faults
from daemon.adapters.aws import code_of, fault_of, make_session
from daemon.mailbox import BATCH, Depth, Received, Refusal

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_BATCH_BYTES = 1_048_576  # AWS: all bodies of a SendMessageBatch together
MAX_REASON_BYTES = 1024
CALL_TIMEOUT = 10
_NOT_ALLOWED = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TIMES: Any = ("SentTimestamp", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount")
_DEPTHS: Any = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_GONE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
_THROTTLED = {"RequestThrottled", "ThrottlingException", "Throttling", "OverLimit", "KmsThrottled"}


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
    return make_session(region).client("sqs", config=config)


@dataclass(frozen=True, slots=True)
class SqsOutlet:
    """A queue to send to."""

    client: "SQSClient"
    url: str

    def send(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        """Send bodies in as few calls as they fit in; returns those that did not get through, by position."""
        safe = [_allowed_json(body) for body in bodies]
        refused: dict[int, Refusal] = {}
        for positions in _fitting([len(body.encode()) for body in safe]):
            refused.update(self._send({position: safe[position] for position in positions}))
        return refused

    def _send(self, bodies: Mapping[int, str]) -> Mapping[int, Refusal]:
        entries: Any = [{"Id": str(position), "MessageBody": body} for position, body in bodies.items()]
        try:
            with _faults("SendMessageBatch", self.url):
                answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
        except faults.Rejected as fault:  # an older queue takes less than a new one
            if len(bodies) == 1:
                return dict.fromkeys(bodies, Refusal(fault.code, fault.message, final=True))
            return {n: r for one in bodies for n, r in self._send({one: bodies[one]}).items()}
        return {int(id): refusal for id, refusal in _failed(answer).items()}


@dataclass(frozen=True, slots=True)
class SqsMailbox(SqsOutlet):
    """A queue to receive from. ``poller`` is the client whose calls may wait as long as a poll does."""

    poller: "SQSClient"
    dead_url: str | None = None

    def receive(self, count: int, wait: int, visibility: int) -> Sequence[Received]:
        """Wait for up to ``count`` messages and hide them from others for ``visibility`` seconds."""
        with _faults("ReceiveMessage", self.url):
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

    def dead_letter(self, body: str, code: str, why: str) -> bool:
        """Put a body among the dead letters with the reason, cut if it must be; False if that cannot be."""
        if self.dead_url is None:
            return False
        for reason in (_printable(why, MAX_REASON_BYTES), "see the log"):
            attributes: Any = {
                "error_code": {"DataType": "String", "StringValue": _printable(code, 128)},
                "error_message": {"DataType": "String", "StringValue": reason},
            }
            try:
                with _faults("SendMessage", self.dead_url):
                    self.client.send_message(
                        QueueUrl=self.dead_url, MessageBody=body, MessageAttributes=attributes
                    )
            except faults.Rejected:
                continue
            return True
        return False

    def depths(self) -> Mapping[str, Depth]:
        """Return how full the queue (``main``) and its dead letters (``dlq``) are."""
        urls = {"main": self.url, "dlq": self.dead_url}
        return {name: self._depth(url) for name, url in urls.items() if url}

    def _depth(self, url: str) -> Depth:
        with _faults("GetQueueAttributes", url):
            found: Any = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=_DEPTHS)["Attributes"]
        visible, in_flight, delayed = (int(found.get(name, 0)) for name in _DEPTHS)
        return Depth(visible, in_flight, delayed)

    def _by_receipt(
        self, name: str, call: Callable[[Any], Any], receipts: Sequence[str]
    ) -> Mapping[str, Refusal]:
        if not receipts:
            return {}
        entries = [{"Id": str(number), "ReceiptHandle": each} for number, each in enumerate(receipts)]
        with _faults(name, self.url):
            answer = call(entries)
        return {receipts[int(number)]: refusal for number, refusal in _failed(answer).items()}


def open_outlet(client: "SQSClient", name: str) -> SqsOutlet:
    """Find a queue by name or URL; raises Missing if there is none."""
    url = _url_of(client, name)
    with _faults("GetQueueAttributes", name):
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return SqsOutlet(client, url)


def open_mailbox(client: "SQSClient", poller: "SQSClient", name: str) -> SqsMailbox:
    """Find a queue by name or URL, and its dead letters by its RedrivePolicy."""
    url = _url_of(client, name)
    with _faults("GetQueueAttributes", name):
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = found.get("Attributes", {}).get("RedrivePolicy")
    arn = json.loads(policy).get("deadLetterTargetArn") if policy else None
    return SqsMailbox(client, url, poller, _url_of_arn(client, arn) if arn else None)


def _url_of(client: "SQSClient", name: str) -> str:
    if "://" in name:
        return name
    with _faults("GetQueueUrl", name):
        return client.get_queue_url(QueueName=name)["QueueUrl"]


def _url_of_arn(client: "SQSClient", arn: str) -> str:
    account, name = arn.split(":")[4:6]
    with _faults("GetQueueUrl", arn):
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


def _failed(answer: Any) -> Mapping[str, Refusal]:
    """Read the entries of a batch call that failed although the call was answered with 200."""
    return {
        entry["Id"]: Refusal(
            entry.get("Code", ""),
            entry.get("Message", ""),
            final=bool(entry.get("SenderFault")) and entry.get("Code") not in _THROTTLED,
        )
        for entry in answer.get("Failed", ())
    }


def _fitting(sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut positions into runs of at most ten entries and one MiB."""
    run: list[int] = []
    total = 0
    for position, size in enumerate(sizes):
        if run and (len(run) == BATCH or total + size > MAX_BATCH_BYTES):
            yield run
            run, total = [], 0
        run.append(position)
        total += size
    if run:
        yield run


def _allowed_json(body: str) -> str:
    r"""Write characters that SQS does not carry as ``\uXXXX``: within JSON they mean the same."""
    return _NOT_ALLOWED.sub(lambda found: f"\\u{ord(found.group()):04x}", body)


def _printable(text: str, most: int) -> str:
    """Leave out what SQS does not carry and cut to a length in bytes, between characters."""
    plain = _NOT_ALLOWED.sub("\N{REPLACEMENT CHARACTER}", text)
    return plain.encode()[:most].decode(errors="ignore") or "unknown"


@contextmanager
def _faults(call: str, subject: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, UnicodeError) as error:
        raise _fault(error, call, subject) from error


def _fault(error: Exception, call: str, subject: str) -> faults.Fault:
    code = code_of(error) if isinstance(error, ClientError) else ""
    fault = fault_of(error, call, subject)
    if code in _GONE:
        return faults.Missing(fault.message, code)
    if code in _THROTTLED:
        return faults.Throttled(fault.message, code)
    return fault
