"""Buries what is refused, ten a call: the sender hears of it, a dead letter is sent, then it is deleted."""

import threading
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault, Rejected
from consumers.core.world import Refuse
from daemon.loop.attempt import Failed, attempt
from daemon.loop.deleting import Deleter
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.loop.returning import Returner
from daemon.loop.waits import PASSING
from daemon.mailbox import BATCH, Letter, Mailbox, Received

LINGER = 0.05
CROWD = 2 * BATCH
_log = structlog.get_logger("burying")


@dataclass(frozen=True, slots=True)
class _Refused:
    hold: Hold
    received: Received
    outcome: Refuse
    context: Context

    @property
    def letter(self) -> Letter:
        return Letter(self.received.body, self.outcome.code, self.outcome.why)


@dataclass
class Burier:
    """Refused messages wait here, still beaten, for others to share their calls; their places are free.

    ``settled`` hears under which word each is counted. Where more than a few wait, whoever brings the next
    one lends a hand, so that no more are taken in than can be buried.
    """

    mailbox: Mailbox
    publisher: Publisher
    deleter: Deleter
    returner: Returner
    settled: Callable[[Hold, str], None]

    def __post_init__(self) -> None:
        self._waiting: list[_Refused] = []
        self._at_work = 0
        self._changed = threading.Condition()

    def add(self, hold: Hold, received: Received, outcome: Refuse) -> None:
        """Take a refused message; what is logged of it later says whose it is."""
        with self._changed:
            self._waiting.append(_Refused(hold, received, outcome, copy_context()))
            waiting = len(self._waiting)
            if waiting in (1, BATCH):
                self._changed.notify_all()
        if waiting > CROWD:
            self._bury_some()

    def wait(self, seconds: float) -> None:
        """Wait until there is something to bury, and a little for more of it."""
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._waiting), seconds):
                self._changed.wait_for(lambda: len(self._waiting) >= BATCH, LINGER)

    def flush(self) -> None:
        """Bury everything that waits."""
        while self._bury_some():
            pass

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits or is being buried."""
        with self._changed:
            return not self._waiting and not self._at_work

    def _bury_some(self) -> int:
        some = self._take()
        if isinstance(failed := attempt(lambda: self._bury(some)), Failed):
            self._give_up(some, failed.error)
        self._done(len(some))
        return len(some)

    def _take(self) -> Sequence[_Refused]:
        with self._changed:
            some, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            self._at_work += len(some)
            return some

    def _done(self, count: int) -> None:
        with self._changed:
            self._at_work -= count

    def _bury(self, some: Sequence[_Refused]) -> None:
        """Publish what follows, then send the letters, each step for all at once."""
        told = self._publish(some)
        letters = [each.letter for each in told]
        buried = self.mailbox.bury(letters) if letters else ()
        for each, result in zip(told, buried, strict=True):
            each.context.run(self._settle, each, result)

    def _publish(self, some: Sequence[_Refused]) -> Sequence[_Refused]:
        """Send what follows from some; returns those of which it got through."""
        try:
            self.publisher.publish([message for each in some for message in each.outcome.then])
        except Rejected as fault:
            if len(some) > 1:  # one of them must not hold up the others
                return [one for each in some for one in self._publish([each])]
            return self._return(some, fault)
        except Fault as fault:
            return self._return(some, fault)
        return some

    def _return(self, some: Sequence[_Refused], fault: Fault) -> Sequence[_Refused]:
        for each in some:
            each.context.run(self._settle, each, fault)
        return ()

    def _settle(self, each: _Refused, buried: bool | Fault) -> None:
        if isinstance(buried, Fault):
            word = self.returner.not_sent(each.hold, buried)
        else:
            _log.warning("message_refused", code=each.outcome.code, why=each.outcome.why)
            word = self._buried(each) if buried else self._left(each)
        self.settled(each.hold, word)

    def _buried(self, each: _Refused) -> str:
        self.deleter.add(each.hold)
        return "poison"

    def _left(self, each: _Refused) -> str:
        _log.error("no_dead_letter", code=each.outcome.code, why="SQS's own redrive must take the message")
        return self.returner.give_back(each.hold, PASSING.longest, "poison")

    def _give_up(self, some: Sequence[_Refused], error: Exception) -> None:
        """Give back what a bug of ours left between two places."""
        _log.error("loop_broke", error=type(error).__name__, exc_info=error)
        for each in some:
            if not each.hold.settled and not self.deleter.is_pending(each.received):
                self.settled(each.hold, self.returner.give_back(each.hold, PASSING.first, "retry"))
