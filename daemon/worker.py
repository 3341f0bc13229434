"""One queue's loop: receive, keep, handle, settle; its steps can also be taken one by one."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue

import structlog
from pydantic import BaseModel

from consumers.core.world import Stage, World
from daemon.clock import Clock
from daemon.loop.attempt import Failed, attempt
from daemon.loop.burying import Burier
from daemon.loop.circuit import Circuit
from daemon.loop.deleting import Deleter
from daemon.loop.figures import LoopFigures
from daemon.loop.handling import Broke, Handled, Handling
from daemon.loop.heartbeat import Heartbeat
from daemon.loop.hold import Hold, Leases
from daemon.loop.polling import Poller
from daemon.loop.publishing import Publisher
from daemon.loop.returning import Returner
from daemon.loop.settling import Settler
from daemon.loop.slots import Slots
from daemon.loop.threads import Threads
from daemon.loop.waits import PASSING, Chance
from daemon.mailbox import Mailbox, Received
from daemon.metrics import Metrics
from schemas.facts import Fact
from schemas.queues import Queue

TURNS_WITHIN = 30.0
_log = structlog.get_logger("worker")


@dataclass(frozen=True)
class Pace:
    """How much at once, and how long things may take, in seconds."""

    concurrency: int = 8
    visibility: int = 120
    poll_wait: int = 20


@dataclass(frozen=True)
class Tick:
    """A message the worker makes for itself: once at the start, then every ``seconds``."""

    message: BaseModel
    seconds: float
    afterwards: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Means:
    """What a worker acts through; clock and chance are arguments so that tests need not wait."""

    mailbox: Mailbox
    publisher: Publisher
    leases: Leases
    world: Callable[[Hold], World]
    tell: Callable[[Iterable[Fact]], None]
    metrics: Metrics
    clock: Clock
    chance: Chance
    rest: Callable[[float], object] | None = None


class Worker:
    """The consumer of one queue. ``start`` sets its threads going; ``daemon.loop.draining`` stops it."""

    def __init__(
        self,
        queue: Queue,
        stages: Mapping[type[BaseModel], Stage],
        means: Means,
        pace: Pace,
        tick: Tick | None = None,
    ) -> None:
        self.queue = queue
        self.tick = tick
        self.stop = threading.Event()
        self._drained_by = float("inf")
        self._means = means
        self._pace = pace
        self._inbox: SimpleQueue[Hold | None] = SimpleQueue()
        self.threads = Threads(queue.value)
        self.slots = Slots(pace.concurrency)
        self.figures = LoopFigures(means.metrics, queue, means.clock, self.slots)
        self.circuit = Circuit(means.clock, means.chance)
        mailbox, clock, chance = means.mailbox, means.clock, means.chance
        self.heartbeat = Heartbeat(mailbox, pace.visibility, clock, chance, self.figures)
        self.deleter = Deleter(mailbox, self.heartbeat, clock, chance, self.figures)
        self.handling = Handling(queue, stages, means.world, chance)
        rest = means.rest or self.threads.drained.wait
        returner = Returner(mailbox, self.heartbeat, chance, rest)
        self.burier = Burier(mailbox, means.publisher, self.deleter, returner, self._count)
        self.settler = Settler(
            means.publisher, self.heartbeat, self.deleter, self.burier, returner, means.tell
        )
        self.poller = Poller(
            mailbox, self.slots, self.circuit, pace.poll_wait, pace.visibility, self._deliver, self.stop,
            clock, chance, self.figures,
        )  # fmt: skip
        self.figures.watch(lambda: len(self.heartbeat.holds()), self._oldest)

    # ── threads ──

    def start(self) -> None:
        """Begin to receive and to handle."""
        self.poller.turned_at = self._means.clock.monotonic()
        for number in range(self._pace.concurrency):
            self.threads.start(f"handler-{number}", self._handle_all)
        self.threads.repeat("heartbeat", self._beat, self.threads.drained)
        self.threads.repeat("burier", self._bury, self.threads.drained)
        self.threads.repeat("deleter", self._delete, self.threads.drained)
        if self.tick is not None:
            self.threads.repeat("ticker", self._tick, self.stop)
        self.threads.repeat("poller", self.poller.turn, self.stop, self._end_handlers)

    def end_by(self, moment: float) -> None:
        """Receive no more; by that moment (monotonic seconds) the drain should be over."""
        self._drained_by = moment
        self.stop.set()

    @property
    def is_turning(self) -> bool:
        """Tell whether the loop turned lately; waiting for a place is turning too.

        After a stop nothing turns any more: the loop is alive until its drain should be over.
        """
        if self.stop.is_set():
            return self._means.clock.monotonic() < self._drained_by
        budget = self._pace.poll_wait + TURNS_WITHIN
        return self._means.clock.monotonic() - self.poller.turned_at < budget * 2

    @property
    def is_flushed(self) -> bool:
        """Tell whether nothing is left to bury or to delete."""
        return self.burier.is_empty and self.deleter.is_empty

    # ── steps ──

    def handle(self, hold: Hold) -> None:
        """Deal with one message from parsing to its settlement, and free its place."""
        try:
            self._handle(hold)
        finally:
            self.slots.give()

    def run_tick(self, message: BaseModel) -> None:
        """Deal with a message of our own making, which nobody sent and nobody deletes."""
        hold = self._hold(None)
        structlog.contextvars.bind_contextvars(queue=self.queue.value)
        self._conclude(hold, lambda: self.handling.decide(message, hold))

    def _deliver(self, received: Received) -> None:
        """Take a message in hand, unless it only came again because its deletion failed."""
        self.figures.waited(received)
        if self.deleter.takes(received):
            self.slots.give()
            self.figures.settled("duplicate", 0, received)
        else:
            self._inbox.put(self._hold(received))

    def flush(self) -> float:
        """Bury what is refused, then delete; returns how long to wait before the next round."""
        self.burier.flush()
        return self.deleter.flush()

    def handle_waiting(self) -> None:
        """Deal, in this thread, with the messages in hand that no handler has begun."""
        while not self._inbox.empty():
            if (hold := self._inbox.get()) is not None:
                self.handle(hold)

    def _handle(self, hold: Hold) -> None:
        received = hold.received
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            queue=self.queue.value, message_id=received.id if received else ""
        )
        self._conclude(hold, lambda: self.handling.run(hold))

    def _conclude(self, hold: Hold, run: Callable[[], Handled]) -> None:
        """Settle what came of a hold; a fault in settling gives the message back."""
        handled = attempt(run)
        if isinstance(handled, Failed):
            handled = self._broken(handled)
        word = attempt(lambda: self.settler.settle(hold, handled))
        if isinstance(word, Failed):
            broken = self._broken(word)
            again = attempt(lambda: self.settler.settle(hold, broken))
            word = "retry" if isinstance(again, Failed) else again
        if word is not None:
            self._count(hold, word)
        if hold.received is not None:
            self._note(handled, hold.received)

    def _count(self, hold: Hold, word: str) -> None:
        if word == "released":
            self.figures.released(1)
        if hold.received is not None:
            seconds = self._means.clock.monotonic() - hold.began
            self.figures.settled(word, seconds, hold.received)
            _log.debug("message_settled", outcome=word, seconds=round(seconds, 3))

    def _broken(self, failed: Failed) -> Broke:
        _log.error("loop_broke", error=type(failed.error).__name__, exc_info=failed.error)
        return Broke(PASSING.after(1, self._means.chance), failed.why, passing=False)

    def _note(self, handled: Handled, received: Received) -> None:
        if isinstance(handled, Broke) and handled.passing:
            if self.circuit.failed(received.id):
                _log.warning("polling_rests", why=handled.why)
        elif not isinstance(handled, Broke) and self.circuit.worked():
            _log.info("polling_goes_on")
        self.figures.rests(float(self.circuit.is_open))

    def _hold(self, received: Received | None) -> Hold:
        hold = Hold(received, self._means.leases, self._pace.visibility, self._means.clock)
        self.heartbeat.add(hold)
        return hold

    def _oldest(self) -> float:
        now = self._means.clock.monotonic()
        return max((now - hold.began for hold in self.heartbeat.holds()), default=0.0)

    # ── what each thread repeats ──

    def _handle_all(self) -> None:
        while (hold := self._inbox.get()) is not None:
            self.handle(hold)

    def _end_handlers(self) -> None:
        """Let the handlers end after the last message that was received."""
        for _ in range(self._pace.concurrency):
            self._inbox.put(None)

    def _beat(self) -> float:
        self.heartbeat.beat()
        return self.heartbeat.pause()

    def _bury(self) -> float:
        self.burier.wait(1.0)
        self.burier.flush()
        return 0.0

    def _delete(self) -> float:
        self.deleter.wait(1.0)
        return self.deleter.flush()

    def _tick(self) -> float:
        assert self.tick is not None  # noqa: S101  (the thread is started only then)
        self.run_tick(self.tick.message)
        if isinstance(failed := attempt(self.tick.afterwards), Failed):
            _log.warning("gauges_not_read", why=failed.why)
        return self.tick.seconds * (0.9 + 0.1 * self._means.chance.random())
