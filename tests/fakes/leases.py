"""Leases in memory, on a clock of the test's."""

from dataclasses import dataclass, field
from itertools import count

from consumers.core.rows import Held, Leased
from tests.fakes.calls import Calls, OnCall, ignore
from tests.fakes.clock import FakeClock


@dataclass
class FakeLeases:
    clock: FakeClock
    on_call: OnCall = ignore
    held: dict[tuple[Leased, str], tuple[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = Calls("leases", self.on_call)
        self._numbers = count()

    def holder(self, kind: Leased, id: str) -> str | None:
        token, until = self.held.get((kind, id), ("", 0.0))
        return token if until > self.clock.seconds else None

    def take(self, kind: Leased, id: str, seconds: float) -> Held | None:
        self.calls.begin("take", id)
        if self.holder(kind, id):
            return None
        held = Held(kind, id, f"token-{next(self._numbers)}")
        self.held[kind, id] = (held.token, self.clock.seconds + seconds)
        return held

    def renew(self, held: Held, seconds: float) -> bool:
        self.calls.begin("renew", held.id)
        if self.held.get((held.kind, held.id), ("", 0))[0] != held.token:
            return False
        self.held[held.kind, held.id] = (held.token, self.clock.seconds + seconds)
        return True

    def release(self, held: Held) -> None:
        self.calls.begin("release", held.id)
        if self.held.get((held.kind, held.id), ("", 0))[0] == held.token:
            del self.held[held.kind, held.id]
