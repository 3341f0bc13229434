"""The submit consumer as it runs, from body to dead letter, over a simulation and queues in memory."""

from dataclasses import dataclass, field, replace

from consumers.core.world import World
from consumers.submit import STAGES
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.worker import Means, Pace, Worker
from schemas.queues import Queue
from tests.fakes.clock import Dice, FakeClock
from tests.fakes.mailbox import FakeMailbox
from tests.stages.simulation import Simulation


@dataclass
class Desk:
    """Takes bodies as they come; ``mailbox.dead`` holds what it refused, ``events`` what senders heard."""

    sim: Simulation
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.mailbox, self.events = FakeMailbox(self.clock), FakeMailbox(self.clock)
        others = {queue: FakeMailbox(self.clock) for queue in (Queue.STATE, Queue.CLEANUP)}
        publisher = Publisher(
            {Queue.SUBMIT: self.mailbox, **others}, [self.events], Dice(), self.clock.advance
        )
        means = Means(
            mailbox=self.mailbox,
            publisher=publisher,
            leases=self.sim.store,
            world=self._world,
            tell=lambda facts: None,
            metrics=Metrics(),
            clock=self.clock,
            chance=Dice(),
            rest=self.clock.advance,
        )
        self.worker = Worker(Queue.SUBMIT, STAGES, means, Pace())

    def take(self, *bodies: str) -> None:
        """Post bodies and handle them with all that follows here."""
        for body in bodies:
            self.mailbox.post(body)
        while self.mailbox.visible():
            self.worker.poller.turn()
            self.worker.handle_waiting()
            self.worker.flush()

    def _world(self, hold: Hold) -> World:
        return replace(self.sim.world([]), hold=hold.take, checkpoint=hold.checkpoint)
