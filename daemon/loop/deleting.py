"""Deletes what is done, ten a call; what fails is repeated with the newest receipt."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault
from daemon.clock import Clock
from daemon.loop.figures import LoopFigures
from daemon.loop.heartbeat import Heartbeat, locked
from daemon.loop.hold import Hold
from daemon.loop.waits import SETTLING, Chance
from daemon.mailbox import BATCH, Mailbox, Received, Refusal

LINGER = 0.05
TRIES = 20
_log = structlog.get_logger("deleting")


@dataclass(slots=True)
class _Pending:
    hold: Hold
    since: float
    tries: int = 0


class Deleter:
    """Messages wait here for their deletion, still beaten, so that nobody else gets them meanwhile."""

    def __init__(
        self, mailbox: Mailbox, heartbeat: Heartbeat, clock: Clock, chance: Chance, figures: LoopFigures
    ) -> None:
        self._mailbox = mailbox
        self._heartbeat = heartbeat
        self._clock = clock
        self._chance = chance
        self._figures = figures
        self._pending: dict[str, _Pending] = {}
        self._changed = threading.Condition()
        self._failed_rounds = 0
        self._failing = ""

    def add(self, hold: Hold) -> None:
        """Take a message whose outcome is settled but for its deletion."""
        received = _message(hold)
        with self._changed:
            if (twin := self._pending.get(received.id)) is not None:
                hold = self._newer(twin.hold, hold)
            self._pending[received.id] = _Pending(hold, self._clock.monotonic())
            if len(self._pending) in (1, BATCH):
                self._changed.notify_all()

    def takes(self, received: Received) -> bool:
        """Tell whether a message that came again is done already; its newest receipt is used then."""
        with self._changed:
            pending = self._pending.get(received.id)
            if pending is not None:
                pending.hold.receipt = received.receipt
            return pending is not None

    def wait(self, seconds: float) -> None:
        """Wait until there is something to delete, and a little for more of it."""
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._pending), seconds):
                self._changed.wait_for(lambda: len(self._pending) >= BATCH, LINGER)

    def flush(self) -> float:
        """Make one round of calls; returns how long to wait before the next."""
        with self._changed:
            pending = list(self._pending.values())
        gone = [self._delete(pending[n : n + BATCH]) for n in range(0, len(pending), BATCH)]
        all_gone = all(gone)
        self._figures.ack_buffer(len(self._pending))
        self._failed_rounds = 0 if all_gone else self._failed_rounds + 1
        return 0.0 if all_gone else SETTLING.after(self._failed_rounds, self._chance)

    def is_pending(self, received: Received) -> bool:
        """Tell whether a message waits here."""
        return received.id in self._pending

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left to delete."""
        return not self._pending

    def _newer(self, one: Hold, other: Hold) -> Hold:
        """Keep one of two holds of a message that was delivered twice: its receipt is the newest."""
        older, newer = sorted((one, other), key=lambda hold: hold.serial)
        older.settled = True
        self._heartbeat.drop(older)
        return newer

    def _delete(self, group: Sequence[_Pending]) -> bool:
        with locked([each.hold for each in group]):
            receipts = [each.hold.receipt for each in group]
            try:
                refused = self._mailbox.delete(receipts)
                self._failing = ""
            except Fault as fault:
                self._note(fault)
                refused = dict.fromkeys(receipts, Refusal(fault.code, fault.message, final=False))
            results = [
                self._settle(each, receipt, refused.get(receipt))
                for each, receipt in zip(group, receipts, strict=True)
            ]
        return all(results)

    def _note(self, fault: Fault) -> None:
        """Log when calls begin to fail: a denial would be told only once all tries are used up."""
        if not self._failing:
            _log.warning("deletions_fail", code=fault.code, why=fault.message)
        self._failing = fault.code

    def _settle(self, each: _Pending, receipt: str, refusal: Refusal | None) -> bool:
        each.tries += 1
        if receipt != each.hold.receipt:  # it came again meanwhile: only the newest receipt deletes for sure
            return False
        if refusal is None:
            self._figures.acked("ok", self._clock.monotonic() - each.since)
            self._forget(each)
            return True
        self._figures.acked("failed", None)
        if refusal.final or each.tries >= TRIES:
            _log.warning(
                "message_not_deleted",
                message_id=_message(each.hold).id,
                code=refusal.code,
                why=refusal.message,
            )
            self._forget(each)
            return True
        return False

    def _forget(self, each: _Pending) -> None:
        each.hold.settled = True
        self._heartbeat.drop(each.hold)
        with self._changed:
            self._pending.pop(_message(each.hold).id, None)


def _message(hold: Hold) -> Received:
    if hold.received is None:
        raise ValueError("a tick has nothing to delete")
    return hold.received
