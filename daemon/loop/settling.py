"""The one place where a message's outcome takes effect on its queue."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault
from consumers.core.world import Done, Later, Refuse
from daemon.loop.burying import Burier
from daemon.loop.deleting import Deleter
from daemon.loop.handling import Broke, Handled, Lost, Released
from daemon.loop.heartbeat import Heartbeat
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.loop.returning import Returner
from schemas.facts import Fact

_log = structlog.get_logger("settling")


@dataclass(frozen=True)
class Settler:
    """Publishes what follows, tells the facts, then deletes, gives back or buries the message."""

    publisher: Publisher
    heartbeat: Heartbeat
    deleter: Deleter
    burier: Burier
    returner: Returner
    tell: Callable[[Iterable[Fact]], None]

    def settle(self, hold: Hold, handled: Handled) -> str | None:
        """Let an outcome take effect; returns the word it is counted under, None if that comes later."""
        match handled:
            case Done():
                return self._done(hold, handled)
            case Refuse():
                return self._refuse(hold, handled)
            case Later():
                hold.let_go()
                self.tell(handled.facts)
                _log.info("message_later", after=handled.after, why=handled.why)
                return self.returner.give_back(hold, handled.after, "retry")
            case Broke():
                hold.let_go()
                _log.warning("message_retried", after=round(handled.after, 1), why=handled.why)
                return self.returner.give_back(hold, handled.after, "retry")
            case Released():
                hold.let_go()
                return self.returner.give_back(hold, 0, "released")
            case Lost():
                return self._lost(hold, handled.why)

    def _done(self, hold: Hold, outcome: Done) -> str:
        # Leases first: what follows may be received at once, and must not find its row still held by us.
        hold.let_go()
        try:
            self.publisher.publish(outcome.then)
        except Fault as fault:
            return self.returner.not_sent(hold, fault)
        self.tell(outcome.facts)
        self._finish(hold)
        again = hold.received is not None and hold.received.receives > 1
        return "duplicate" if again and not outcome.facts else "success"

    def _refuse(self, hold: Hold, outcome: Refuse) -> str | None:
        if hold.received is None:
            _log.error("tick_refused", code=outcome.code, why=outcome.why)
            return self._done(hold, Done(then=outcome.then))
        hold.let_go()
        self.burier.add(hold, hold.received, outcome)
        return None

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
