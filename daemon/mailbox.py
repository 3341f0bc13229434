"""The port to a queue, as the loop needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumers.core.faults import Fault

BATCH = 10  # AWS: entries of a batch call, messages of a receive
LONGEST_HOLD = 43_200  # AWS: seconds a message can be invisible in total, from its first receive


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came; times are seconds since 1970."""

    id: str
    receipt: str
    body: str
    sent_at: float
    first_received_at: float
    receives: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one entry of a batch call failed; a ``final`` one fails again however often it is tried."""

    code: str
    message: str
    final: bool


class Letter(NamedTuple):
    """A message that can never work, with a word for programs and a sentence for people."""

    body: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue holds, about, and for how many seconds it keeps one."""

    visible: int
    in_flight: int
    delayed: int
    retention: int


class Outlet(Protocol):
    """A place that takes bodies. Calls raise ``faults``."""

    def send(self, bodies: Sequence[str]) -> Mapping[int, Refusal]:
        """Send bodies; returns those that did not get through, by position."""


class Mailbox(Outlet, Protocol):
    """One queue with its dead letters. Calls raise ``faults``; batch calls take at most ``BATCH`` entries."""

    def receive(self, count: int, wait: int, visibility: int) -> Sequence[Received]:
        """Wait for up to ``count`` messages and hide them from others for ``visibility`` seconds."""

    def extend(self, changes: Mapping[str, int]) -> Mapping[str, Refusal]:
        """Hide messages, given by receipt, for so many seconds from now; returns what failed."""

    def delete(self, receipts: Sequence[str]) -> Mapping[str, Refusal]:
        """Delete messages by their receipts; returns what failed."""

    def bury(self, letters: Sequence[Letter]) -> Sequence[bool | Fault]:
        """Put bodies among the dead letters with their reasons, as many as there are.

        Answers for each: False where that can never be done, a Fault where it failed.
        """

    def depths(self) -> Mapping[str, Depth]:
        """Return how full the queue (``main``) and its dead letters (``dlq``) are."""
