"""Gives messages back to their queue, so that they come again."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault
from daemon.loop.heartbeat import Heartbeat
from daemon.loop.hold import Hold
from daemon.loop.waits import PASSING, SETTLING, Chance
from daemon.mailbox import Mailbox

TRIES = 6
_log = structlog.get_logger("returning")


@dataclass(frozen=True)
class Returner:
    """Gives back what cannot be settled now; ``rest`` waits between the tries to do so."""

    mailbox: Mailbox
    heartbeat: Heartbeat
    chance: Chance
    rest: Callable[[float], object]

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

    def not_sent(self, hold: Hold, fault: Fault) -> str:
        """Give a message back because what follows from it did not get through."""
        tries = hold.received.receives if hold.received else 1
        after = PASSING.after(tries, self.chance)
        _log.warning("follow_up_not_sent", why=fault.message, after=round(after, 1))
        return self.give_back(hold, after, "retry")

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
