"""A dead-letter queue as an operator uses it: looked into without taking, and sent back."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from consumers.core.faults import Missing, Rejected
from daemon.adapters.sqs import SqsMailbox
from daemon.adapters.sqs_entries import failed, sqs_faults

PEEK_SECONDS = 20
MOVE_SECONDS = 60
AT_ONCE = 10
PATIENCE = 3
"""Pages without a new letter that are taken for the end: letters whose hiding ran out come again."""
REASONS = ("error_code", "error_message")
_TOLD: Any = ("SentTimestamp", "ApproximateReceiveCount")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message among the dead letters, with the reason it is there.

    ``receives`` counts over all queues, this look included. What SQS moved here itself carries no reason.
    """

    id: str
    receipt: str
    body: str
    error_code: str | None
    error_message: str | None
    sent_at: datetime | None
    receives: int

    @property
    def fields(self) -> Mapping[str, Any]:
        """What its body says, if that is a JSON object."""
        try:
            fields = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return fields if isinstance(fields, dict) else {}

    @property
    def type(self) -> str | None:
        """The type its body names, if it can be read."""
        named = self.fields.get("type", self.fields.get("detail-type"))
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

    def count(self) -> int:
        """Return how many letters there are, about."""
        return self._mailbox.depths()["dlq"].visible if self.url else 0

    def peek(self, limit: int) -> list[DeadLetter]:
        """Look at letters and put them back at once; a look that breaks off puts them back in a moment."""
        taken: list[DeadLetter] = []
        for page in self._pages(PEEK_SECONDS):
            taken += page
            if len(taken) >= limit:
                break
        self._put_back(taken)
        return taken[:limit]

    def redrive(self, chosen: Callable[[DeadLetter], bool], limit: int | None) -> Iterator[list[DeadLetter]]:
        """Send the chosen letters back to the queue they came from, page by page; the others stay.

        What was sent back and is among the dead letters again meanwhile, or stands there twice, stays too:
        with consumers at work letters without hope would go round for ever.
        """
        kept: list[DeadLetter] = []
        moved: set[bytes] = set()
        left = limit
        for page in self._pages(MOVE_SECONDS):
            fresh = {_digest(letter): letter for letter in page if chosen(letter)}
            moving = [letter for digest, letter in fresh.items() if digest not in moved][:left]
            kept += [letter for letter in page if letter not in moving]
            if moving:
                moved.update(map(_digest, moving))
                self._move(moving)
                yield moving
            left = None if left is None else left - len(moving)
            if left == 0:
                break
        self._put_back(kept)

    def _pages(self, seconds: int) -> Iterator[list[DeadLetter]]:
        """Receive each letter once, a page at a time, until none comes that is new."""
        seen, idle = set[str](), 0
        while idle < PATIENCE:
            messages = self._receive(seconds)
            if not messages:
                return
            fresh = [_letter(each) for each in messages if each["MessageId"] not in seen]
            seen |= {letter.id for letter in fresh}
            idle = 0 if fresh else idle + 1
            if fresh:
                yield fresh

    def _receive(self, seconds: int) -> Sequence[Any]:
        with sqs_faults("ReceiveMessage", self.url):
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=_TOLD,
            )
        return answer.get("Messages", ())

    def _move(self, letters: Sequence[DeadLetter]) -> None:
        """Send first, then delete: a crash in between leaves messages twice, and that changes nothing."""
        refused = self._mailbox.send([letter.body for letter in letters])
        sent = [letter for n, letter in enumerate(letters) if n not in refused]
        self._delete(sent)
        for n, refusal in refused.items():
            raise Rejected(f"message {letters[n].id} was not sent back: {refusal.message}", refusal.code)

    def _delete(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        entries: Any = [{"Id": str(n), "ReceiptHandle": each.receipt} for n, each in enumerate(letters)]
        with sqs_faults("DeleteMessageBatch", self.url):
            answer = self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        for n, refusal in failed(answer).items():
            told = f"message {letters[int(n)].id} was sent back, but stays among the dead letters, too"
            raise Rejected(f"{told}: {refusal.message}", refusal.code)

    def _put_back(self, letters: Sequence[DeadLetter]) -> None:
        for first in range(0, len(letters), AT_ONCE):
            page = letters[first : first + AT_ONCE]
            with sqs_faults("ChangeMessageVisibilityBatch", self.url):
                self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                        for n, each in enumerate(page)
                    ],
                )


def _letter(message: Any) -> DeadLetter:
    attributes, told = message.get("MessageAttributes", {}), message.get("Attributes", {})
    code, why = (attributes.get(name, {}).get("StringValue") for name in REASONS)
    sent = told.get("SentTimestamp")
    return DeadLetter(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        error_code=code,
        error_message=why,
        sent_at=datetime.fromtimestamp(int(sent) / 1000, UTC) if sent else None,
        receives=int(told.get("ApproximateReceiveCount", 1)),
    )


def _digest(letter: DeadLetter) -> bytes:
    return sha256(letter.body.encode()).digest()
