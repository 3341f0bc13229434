"""Our own events on an EventBridge bus, through boto3."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.adapters.aws import faults_of
from daemon.mailbox import BATCH, Refusal

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_PASSING = {"ThrottlingException", "InternalFailure", "InternalException"}


@dataclass(frozen=True, slots=True)
class EventBus:
    """A bus that takes the bodies of our events."""

    client: "EventBridgeClient"
    name: str

    def send(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        """Put events, ten a call; returns those that did not get through, by position."""
        refused: dict[int, Refusal] = {}
        for first in range(0, len(bodies), BATCH):
            refused.update(self._put(first, bodies[first : first + BATCH]))
        return refused

    def _put(self, first: int, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        entries: Any = [self._entry(json.loads(body)) for body in bodies]
        with faults_of("PutEvents", self.name):
            answers = self.client.put_events(Entries=entries)["Entries"]
        return {
            first + n: Refusal(code, answer.get("ErrorMessage", ""), final=code not in _PASSING)
            for n, answer in enumerate(answers)
            if (code := answer.get("ErrorCode"))
        }

    def _entry(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "EventBusName": self.name,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"], ensure_ascii=False),
        }
