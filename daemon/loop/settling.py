"""The one place where a message's outcome takes effect on its queue."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault
from consumers.core.world import Done, Later, Refuse
from daemon.loop.deleting import Deleter
from daemon.loop.handling import Broke, Handled, Lost, Released
from daemon.loop.heartbeat import Heartbeat
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.loop.waits import PASSING, SETTLING, Chance
from daemon.mailbox import Mailbox
from schemas.facts import Fact

TRIES = 6
_log = structlog.get_logger("settling")


@dataclass(frozen=True)
class Settler:
    """Publishes what follows, tells the facts, then deletes, gives back or buries the message."""

    mailbox: Mailbox
    publisher: Publisher
    heartbeat: Heartbeat
    deleter: Deleter
    tell: Callable[[Iterable[Fact]], None]
    chance: Chance
    rest: Callable[[float], object]

    def settle(self, hold: Hold, handled: Handled) -> str:
        """Let an outcome take effect; returns the word it is counted under."""
        match handled:
            case Done():
                return self._done(hold, handled)
            case Refuse():
                return self._refuse(hold, handled)
            case Later():
                hold.let_go()
                self.tell(handled.facts)
                _log.info("message_later", after=handled.after, why=handled.why)
                return self.give_back(hold, handled.after, "retry")
            case Broke():
                hold.let_go()
                _log.warning("message_retried", after=round(handled.after, 1), why=handled.why)
                return self.give_back(hold, handled.after, "retry")
            case Released():
                hold.let_go()
                return self.give_back(hold, 0, "released")
            case Lost():
                return self._lost(hold, handled.why)

    def give_back(self, hold: Hold, after: float, word: str) -> str:
        """Make the message visible again after so many seconds, as far as its 12 hours allow.

        Beats go on until SQS has heard it: what is throttled now must not come back early.
        """
        for tries in range(1, TRIES + 1):
            if hold.received is None or hold.lost or self._heard(hold, after):
                break
            self.rest(SETTLING.after(tries, self.chance))
        hold.settled = True
        self.heartbeat.drop(hold)
        return word

    def _done(self, hold: Hold, outcome: Done) -> str:
        # Leases first: what follows may be received at once, and must not find its row still held by us.
        hold.let_go()
        try:
            self.publisher.publish(outcome.then)
        except Fault as fault:
            return self._not_published(hold, fault)
        self.tell(outcome.facts)
        self._finish(hold)
        again = hold.received is not None and hold.received.receives > 1
        return "duplicate" if again and not outcome.facts else "success"

    def _refuse(self, hold: Hold, outcome: Refuse) -> str:
        hold.let_go()
        try:
            self.publisher.publish(outcome.then)
            buried = hold.received is None or self.mailbox.dead_letter(
                hold.received.body, outcome.code, outcome.why
            )
        except Fault as fault:
            return self._not_published(hold, fault)
        _log.warning("message_refused", code=outcome.code, why=outcome.why)
        if not buried:
            _log.error("no_dead_letter", code=outcome.code, why="SQS's own redrive must take the message")
            return self.give_back(hold, PASSING.longest, "poison")
        self._finish(hold)
        return "poison"

    def _not_published(self, hold: Hold, fault: Fault) -> str:
        tries = hold.received.receives if hold.received else 1
        after = PASSING.after(tries, self.chance)
        _log.warning("follow_up_not_sent", why=fault.message, after=round(after, 1))
        return self.give_back(hold, after, "retry")

    def _lost(self, hold: Hold, why: str) -> str:
        _log.warning("lease_lost", why=why)
        hold.let_go()
        hold.settled = True
        self.heartbeat.drop(hold)
        return "lease_lost"

    def _finish(self, hold: Hold) -> None:
        if hold.received is None:
            hold.settled = True
            self.heartbeat.drop(hold)
        else:
            self.deleter.add(hold)

    def _heard(self, hold: Hold, after: float) -> bool:
        with hold.lock:
            seconds = max(0, min(round(after), hold.remaining()))
            try:
                refused = self.mailbox.extend({hold.receipt: seconds})
            except Fault as fault:
                _log.warning("message_not_given_back", why=fault.message)
                return False
            refusal = refused.get(hold.receipt)
            heard = refusal is None or refusal.final
            hold.settled = heard
            return heard
