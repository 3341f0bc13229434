"""A dead-letter queue as an operator uses it: looked into without taking, and sent back."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from consumers.core.faults import Missing, Rejected
from daemon.adapters.aws import faults_of
from daemon.adapters.sqs import SqsMailbox

PEEK_SECONDS = 20
MOVE_SECONDS = 60
AT_ONCE = 10
REASONS = ("error_code", "error_message")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message among the dead letters, with the reason it is there."""

    id: str
    receipt: str
    body: str
    error_code: str | None
    error_message: str | None
    sent_at: datetime | None

    @property
    def type(self) -> str | None:
        """The type its body names, if it can be read."""
        try:
            fields = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(fields, dict):
            return None
        named = fields.get("type", fields.get("detail-type"))
        return named if isinstance(named, str) else None


class DeadLetters:
    """The dead letters of one queue."""

    def __init__(self, mailbox: SqsMailbox) -> None:
        self._client = mailbox.client
        self._mailbox = mailbox

    @property
    def url(self) -> str:
        """The URL of the dead-letter queue; raises Missing where the queue names none."""
        if self._mailbox.dead_url is None:
            raise Missing(
                f"queue {self._mailbox.url} has no dead-letter queue: give it a RedrivePolicy "
                "with a deadLetterTargetArn"
            )
        return self._mailbox.dead_url

    def peek(self, limit: int) -> list[DeadLetter]:
        """Look at letters and put them back at once."""
        found = list(islice(self._take(PEEK_SECONDS), limit))
        self._put_back(found)
        return found

    def redrive(self, chosen: Callable[[DeadLetter], bool], limit: int | None) -> list[DeadLetter]:
        """Send the chosen letters back to the queue they came from; the others stay."""
        moved: list[DeadLetter] = []
        kept: list[DeadLetter] = []
        for letter in self._take(MOVE_SECONDS):
            if not chosen(letter) or len(moved) == limit:
                kept.append(letter)
                continue
            self._move(letter)
            moved.append(letter)
        self._put_back(kept)
        return moved

    def _take(self, seconds: int) -> Iterator[DeadLetter]:
        """Receive each letter once, a page at a time, until none comes that is new."""
        url, seen = self.url, set[str]()
        while True:
            with faults_of("ReceiveMessage", url):
                answer = self._client.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=AT_ONCE,
                    VisibilityTimeout=seconds,
                    WaitTimeSeconds=1,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
            fresh = [each for each in answer.get("Messages", ()) if each.get("MessageId") not in seen]
            if not fresh:
                return
            for each in fresh:
                seen.add(each.get("MessageId", ""))
                yield _letter(each)

    def _move(self, letter: DeadLetter) -> None:
        """Send first, then delete: a crash in between leaves one message twice, and that changes nothing."""
        for refusal in self._mailbox.send([letter.body]).values():
            raise Rejected(f"message {letter.id} was not sent back: {refusal.message}", refusal.code)
        with faults_of("DeleteMessage", self.url):
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)

    def _put_back(self, letters: Sequence[DeadLetter]) -> None:
        for first in range(0, len(letters), AT_ONCE):
            page = letters[first : first + AT_ONCE]
            with faults_of("ChangeMessageVisibilityBatch", self.url):
                self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                        for n, each in enumerate(page)
                    ],
                )


def _letter(message: Any) -> DeadLetter:
    attributes = message.get("MessageAttributes", {})
    code, why = (attributes.get(name, {}).get("StringValue") for name in REASONS)
    sent = message.get("Attributes", {}).get("SentTimestamp")
    return DeadLetter(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        code,
        why,
        datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
    )
