"""Stops workers so that nothing is lost and nothing is left hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from consumers.core.faults import Fault
from daemon.clock import Clock
from daemon.loop.hold import Hold
from daemon.worker import Worker

CANCEL_AT = 0.8
FLUSH_SECONDS = 5.0
LAST_SECONDS = 1.0
_log = structlog.get_logger("draining")


@dataclass(frozen=True)
class Drain:
    """Lets handlers end by themselves, then asks them to stop, then leaves them; beats go on all the time.

    ``rest`` waits so many seconds, or less if a signal arrives; ``forced`` tells whether to leave at once.
    """

    workers: Sequence[Worker]
    seconds: float
    clock: Clock
    rest: Callable[[float], object]
    forced: Callable[[], bool]

    def run(self) -> bool:
        """Stop all workers; tells whether everything ended in order."""
        began = self.clock.monotonic()
        for worker in self.workers:
            worker.end_by(began + self._longest())
        _log.info("draining", in_hand=len(self._in_hand()))
        if not self._until(began + self.seconds * CANCEL_AT, self._all_ended):
            for hold in self._in_hand():
                hold.cancel()
            self._until(began + self.seconds, self._all_ended)
        self._until(began + self._longest_poll(), self._polls_ended)
        ended = self._until(self.clock.monotonic() + LAST_SECONDS, self._all_ended)
        flushed = self._until(self.clock.monotonic() + FLUSH_SECONDS, self._flushed)
        for worker in self.workers:
            self._give_up(worker)
            worker.threads.drained.set()
        _log.info("drained", seconds=round(self.clock.monotonic() - began, 1), ended=ended, flushed=flushed)
        return ended and flushed and not self.forced()

    def _until(self, deadline: float, condition: Callable[[], bool]) -> bool:
        while not condition():
            if self.forced() or self.clock.monotonic() >= deadline:
                return False
            self.rest(0.02)
        return True

    def _all_ended(self) -> bool:
        return not any(worker.threads.living("poller", "handler", "ticker") for worker in self.workers)

    def _polls_ended(self) -> bool:
        return not any(worker.threads.living("poller") for worker in self.workers)

    def _flushed(self) -> bool:
        return all(worker.is_flushed for worker in self.workers)

    def _longest(self) -> float:
        """Return how long all of it may take."""
        return max(self.seconds, self._longest_poll()) + LAST_SECONDS + FLUSH_SECONDS

    def _longest_poll(self) -> float:
        return max((worker.poller.wait for worker in self.workers), default=0) + FLUSH_SECONDS

    def _in_hand(self) -> list[Hold]:
        return [hold for worker in self.workers for hold in worker.heartbeat.holds()]

    def _give_up(self, worker: Worker) -> None:
        """Make visible what hangs, so that another process can take it at once."""
        for hold in worker.heartbeat.holds():
            if hold.received is not None and not worker.deleter.is_pending(hold.received):
                _log.error("handler_hung", queue=worker.queue.value, message_id=hold.received.id)
                self._release(worker, hold, hold.received.id)
            hold.lose("the process stops")
            hold.let_go()

    def _release(self, worker: Worker, hold: Hold, message_id: str) -> None:
        with hold.lock:
            try:
                worker.poller.mailbox.extend({hold.receipt: 0})
            except Fault as fault:
                _log.warning("message_not_given_back", message_id=message_id, why=fault.message)
            hold.settled = True
            worker.figures.released(1)
