"""A queue in memory that behaves as SQS does, on a clock of the test's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from consumers.core.faults import Fault
from daemon.mailbox import BATCH, LONGEST_HOLD, Depth, Letter, Received, Refusal
from tests.fakes.calls import Calls, OnCall, ignore
from tests.fakes.clock import FakeClock

NOT_IN_FLIGHT = Refusal("InvalidParameterValue", "not available for visibility timeout change", final=True)
UNKNOWN_RECEIPT = Refusal("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", final=True)
RETENTION = 345_600


@dataclass
class Stored:
    """A message in the queue."""

    id: str
    body: str
    sent_at: float
    visible_at: float
    first_received_at: float = 0.0
    receives: int = 0
    receipts: list[str] = field(default_factory=list)


@dataclass
class DeadLetter:
    body: str
    code: str
    why: str


@dataclass
class FakeMailbox:
    """One queue with its dead letters; ``calls`` makes calls fail, ``refuse_next`` single entries."""

    clock: FakeClock
    on_call: OnCall = ignore
    max_receives: int = 10
    has_dlq: bool = True
    messages: dict[str, Stored] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.calls = Calls("mailbox", self._called)
        self._numbers = count(1)
        self._receipts: dict[str, str] = {}
        self._refusals: list[tuple[str, Refusal]] = []

    def _called(self, call: str) -> None:
        self.on_call(call)

    # ── what a test does ──

    def post(self, body: str) -> str:
        """Put a message into the queue; returns its id."""
        message = Stored(f"m{next(self._numbers)}", body, self._now(), self._now())
        self.messages[message.id] = message
        return message.id

    def refuse_next(
        self, call: str, code: str = "InternalError", *, final: bool = False, times: int = 1
    ) -> None:
        """Let the next entries of a batch call fail, although the call is answered."""
        self._refusals += [(call, Refusal(code, "told to", final))] * times

    def heal(self) -> None:
        """Forget the faults and refusals that are still to come."""
        self.calls.heal()
        self._refusals.clear()

    def visible(self) -> list[str]:
        return [each.id for each in self.messages.values() if each.visible_at <= self._now()]

    def hidden(self) -> list[str]:
        return [each.id for each in self.messages.values() if each.visible_at > self._now()]

    # ── the port ──

    def receive(self, count: int, wait: int, visibility: int) -> Sequence[Received]:
        assert 1 <= count <= BATCH
        assert 0 <= wait <= 20
        self.calls.begin("receive", str(count))
        found = [received for id in self.visible()[:count] if (received := self._hand_out(id, visibility))]
        self.calls.end("receive", str(count))
        return found

    def extend(self, changes: Mapping[str, int]) -> Mapping[str, Refusal]:
        assert len(changes) <= BATCH
        self.calls.begin("extend", f"{sorted(changes.values())}")
        refused = {r: why for r, seconds in changes.items() if (why := self._extend(r, seconds))}
        self.calls.end("extend", "")
        return refused

    def delete(self, receipts: Sequence[str]) -> Mapping[str, Refusal]:
        assert len(receipts) <= BATCH
        self.calls.begin("delete", str(len(receipts)))
        refused = {receipt: why for receipt in receipts if (why := self._delete(receipt))}
        self.calls.end("delete", str(len(receipts)))
        return refused

    def send(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        self.calls.begin("send", str(len(bodies)))
        refused = {}
        for position, body in enumerate(bodies):
            if why := self._told("send"):
                refused[position] = why
            else:
                self.post(body)
        self.calls.end("send", str(len(bodies)))
        return refused

    def bury(self, letters: Sequence[Letter]) -> Sequence[bool | Fault]:
        try:
            self.calls.begin("bury", str(len(letters)))
        except Fault as fault:
            return [fault] * len(letters)
        if self.has_dlq:
            self.dead += [DeadLetter(*letter) for letter in letters]
        self.calls.end("bury", str(len(letters)))
        return [self.has_dlq] * len(letters)

    def depths(self) -> Mapping[str, Depth]:
        self.calls.begin("depths", "")
        main = Depth(len(self.visible()), len(self.hidden()), 0, RETENTION)
        dead = Depth(len(self.dead), 0, 0, RETENTION)
        return {"main": main, "dlq": dead} if self.has_dlq else {"main": main}

    # ── SQS ──

    def _now(self) -> float:
        return self.clock.now().timestamp()

    def _hand_out(self, id: str, visibility: int) -> Received | None:
        message = self.messages[id]
        if message.receives >= self.max_receives:
            self.dead.append(DeadLetter(message.body, "", "too many receives"))
            del self.messages[id]
            return None
        message.receives += 1
        message.first_received_at = message.first_received_at or self._now()
        message.visible_at = self._now() + visibility
        receipt = f"{id}#{message.receives}"
        message.receipts.append(receipt)
        self._receipts[receipt] = id
        self.deliveries.append(id)
        return Received(
            id, receipt, message.body, message.sent_at, message.first_received_at, message.receives
        )

    def _extend(self, receipt: str, seconds: int) -> Refusal | None:
        assert 0 <= seconds <= LONGEST_HOLD
        if why := self._told("extend"):
            return why
        message = self.messages.get(self._receipts.get(receipt, ""))
        if message is None or message.receipts[-1] != receipt or message.visible_at <= self._now():
            return NOT_IN_FLIGHT
        if self._now() + seconds > message.first_received_at + LONGEST_HOLD:
            return Refusal("InvalidParameterValue", "beyond the limit [43200 seconds]", final=True)
        message.visible_at = self._now() + seconds
        return None

    def _delete(self, receipt: str) -> Refusal | None:
        if why := self._told("delete"):
            return why
        if receipt not in self._receipts:
            return UNKNOWN_RECEIPT
        message = self.messages.get(self._receipts[receipt])
        if message is not None and message.receipts[-1] == receipt:  # an older handle deletes nothing
            del self.messages[message.id]
            self.deleted.append(message.id)
        return None

    def _told(self, call: str) -> Refusal | None:
        for position, (name, refusal) in enumerate(self._refusals):
            if name == call:
                del self._refusals[position]
                return refusal
        return None
