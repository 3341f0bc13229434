"""Queues with long polls, receipts and visibility, in SQS's JSON protocol."""

import asyncio
import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.bench.stub.http import Answer, Reply, Request

ACCOUNT = "123456789012"


@dataclass(slots=True)
class Message:
    """One message, and how often it was received."""

    id: str
    body: str
    sent: float
    receives: int = 0
    first: float = 0.0


@dataclass(slots=True, eq=False)
class Poll:
    """A receive that waits."""

    count: int
    visibility: float
    reply: Reply
    timer: asyncio.TimerHandle | None = None


@dataclass
class Queue:
    """Messages that wait, messages in hand, and polls that wait."""

    waiting: deque[Message] = field(default_factory=deque)
    in_hand: dict[str, tuple[Message, asyncio.TimerHandle]] = field(default_factory=dict)
    polls: deque[Poll] = field(default_factory=deque)


class Queues:
    """All queues, made when first spoken of."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.counts: Counter[str] = Counter()
        self._numbers = count()

    def answer(self, request: Request, reply: Reply, host: str) -> None:
        """Answer one call, a poll as late as something is there."""
        action = request.header(b"x-amz-target").rpartition(".")[2]
        asked = json.loads(request.body)
        self.counts[action] += 1
        if action == "GetQueueUrl":
            reply(_json({"QueueUrl": f"http://{host}/{ACCOUNT}/{asked['QueueName']}"}))
            return
        queue = self.queue(asked["QueueUrl"].rpartition("/")[2])
        if action == "ReceiveMessage":
            self._receive(queue, asked, reply)
        else:
            reply(_json(getattr(self, f"_{action}")(queue, asked)))

    def queue(self, name: str) -> Queue:
        """Return a queue by name."""
        return self.queues.setdefault(name, Queue())

    def send(self, queue: Queue, body: str) -> str:
        """Put a message into a queue; a poll that waits gets it at once."""
        message = Message(f"m{next(self._numbers)}", body, time.time())
        queue.waiting.append(message)
        self._wake(queue)
        return message.id

    def _receive(self, queue: Queue, asked: dict[str, Any], reply: Reply) -> None:
        most, visibility = asked.get("MaxNumberOfMessages", 1), asked.get("VisibilityTimeout", 120)
        wait = asked.get("WaitTimeSeconds", 0)
        if queue.waiting or not wait:
            reply(self._take(queue, most, visibility))
            return
        poll = Poll(most, visibility, reply)
        poll.timer = asyncio.get_running_loop().call_later(wait, self._end, queue, poll)
        queue.polls.append(poll)

    def end_polls(self) -> None:
        """Answer every poll that waits: there is nothing."""
        for queue in self.queues.values():
            for poll in list(queue.polls):
                if poll.timer:
                    poll.timer.cancel()
                self._end(queue, poll)

    def _end(self, queue: Queue, poll: Poll) -> None:
        queue.polls.remove(poll)
        poll.reply(_json({}))

    def _take(self, queue: Queue, most: int, visibility: float) -> Answer:
        now = time.time()
        taken: list[dict[str, Any]] = []
        while queue.waiting and len(taken) < most:
            message = queue.waiting.popleft()
            message.receives += 1
            message.first = message.first or now
            receipt = f"r{next(self._numbers)}"
            self._hide(queue, receipt, message, visibility)
            taken.append(
                {
                    "MessageId": message.id,
                    "ReceiptHandle": receipt,
                    "Body": message.body,
                    "Attributes": {
                        "SentTimestamp": str(int(message.sent * 1000)),
                        "ApproximateFirstReceiveTimestamp": str(int(message.first * 1000)),
                        "ApproximateReceiveCount": str(message.receives),
                    },
                }
            )
        return _json({"Messages": taken} if taken else {})

    def _hide(self, queue: Queue, receipt: str, message: Message, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        queue.in_hand[receipt] = message, loop.call_later(seconds, self._show, queue, receipt)

    def _show(self, queue: Queue, receipt: str) -> None:
        message, timer = queue.in_hand.pop(receipt)
        timer.cancel()
        queue.waiting.append(message)
        self._wake(queue)

    def _wake(self, queue: Queue) -> None:
        while queue.polls and queue.waiting:
            poll = queue.polls.popleft()
            if poll.timer:
                poll.timer.cancel()
            poll.reply(self._take(queue, poll.count, poll.visibility))

    # ── the calls by their AWS names ──

    def _SendMessage(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"MessageId": self.send(queue, asked["MessageBody"])}

    def _SendMessageBatch(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        sent = [
            {"Id": each["Id"], "MessageId": self.send(queue, each["MessageBody"])}
            for each in asked["Entries"]
        ]
        return {"Successful": sent, "Failed": []}

    def _DeleteMessageBatch(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for each in asked["Entries"]:
            self._delete(queue, each["ReceiptHandle"])
        return {"Successful": [{"Id": each["Id"]} for each in asked["Entries"]], "Failed": []}

    def _DeleteMessage(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._delete(queue, asked["ReceiptHandle"])
        return {}

    def _delete(self, queue: Queue, receipt: str) -> None:
        held = queue.in_hand.pop(receipt, None)
        if held is not None:
            held[1].cancel()

    def _ChangeMessageVisibilityBatch(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for each in asked["Entries"]:
            receipt, seconds = each["ReceiptHandle"], each["VisibilityTimeout"]
            if receipt in queue.in_hand:
                message, timer = queue.in_hand[receipt]
                timer.cancel()
                self._hide(queue, receipt, message, seconds)
        return {"Successful": [{"Id": each["Id"]} for each in asked["Entries"]], "Failed": []}

    def _GetQueueAttributes(self, queue: Queue, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": str(len(queue.waiting)),
                "ApproximateNumberOfMessagesNotVisible": str(len(queue.in_hand)),
                "ApproximateNumberOfMessagesDelayed": "0",
            }
        }


def _json(document: dict[str, Any]) -> Answer:
    return Answer(json.dumps(document).encode(), headers="Content-Type: application/x-amz-json-1.0\r\n")
