"""Sends what follows: messages to their queues, events to whoever wants them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from consumers.core.faults import PassingFault, Rejected
from daemon.loop.waits import SETTLING, Chance
from daemon.mailbox import Outlet
from schemas.events import Event
from schemas.queues import Queue

TRIES = 4


@dataclass(frozen=True)
class Publisher:
    """Knows an outlet for each queue, and those for our own events: none, a queue, a bus, or both."""

    queues: Mapping[Queue, Outlet]
    events: Sequence[Outlet]
    chance: Chance
    rest: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)

    def publish(self, then: Sequence[BaseModel]) -> None:
        """Send everything, or raise a fault: then the message it follows from must come again."""
        bodies: dict[Queue, list[str]] = {}
        for message in then:
            if not isinstance(message, Event):
                queue: Queue = getattr(message, "queue")  # noqa: B009  (a class variable of every message)
                bodies.setdefault(queue, []).append(_body(message))
        for queue, some in bodies.items():
            self._send(self.queues[queue], some)
        events = [_body(event) for event in then if isinstance(event, Event)]
        for outlet in self.events if events else ():
            self._send(outlet, events)

    def _send(self, outlet: Outlet, bodies: Sequence[str]) -> None:
        """Send bodies and repeat those entries that failed for what passes."""
        left = list(bodies)
        for tries in range(1, TRIES + 1):
            refused = outlet.send(left)
            final = next((refusal for refusal in refused.values() if refusal.final), None)
            if final:
                raise Rejected(f"a message that follows was refused: {final.message}", final.code)
            if not refused:
                return
            left = [left[position] for position in sorted(refused)]
            if tries < TRIES:
                self.rest(SETTLING.after(tries, self.chance))
        raise PassingFault(f"{len(left)} messages that follow did not get through")


def _body(message: BaseModel) -> str:
    return message.model_dump_json(by_alias=True)
