"""A worker on a virtual clock, over fakes: the test takes its steps one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from consumers.core.rows import Leased
from consumers.core.world import Done, Outcome, Policy, Stage, World
from daemon.loop.hold import Hold
from daemon.loop.publishing import Publisher
from daemon.metrics import Metrics
from daemon.worker import Means, Pace, Worker
from schemas.analyses import REGISTRY
from schemas.facts import Fact
from schemas.messages import PlanBatch
from schemas.models import load_models
from schemas.queues import Queue
from tests.fakes.clock import Dice, FakeClock
from tests.fakes.leases import FakeLeases
from tests.fakes.mailbox import FakeMailbox

VISIBILITY = 60
BATCH_ID = "b" + "0" * 20
BODY = PlanBatch(batch_id=BATCH_ID).model_dump_json()
POLICY = Policy(
    bucket="media",
    allowed_buckets=frozenset({"media"}),
    role_arn="arn:aws:iam::123456789012:role/r",
    region="x",
)


def nothing(message: Any, world: World) -> Outcome:
    return Done()


@dataclass
class Bench:
    """``stage`` handles every ``plan_batch``; it may advance the clock and beat, as if it took long."""

    stage: Stage = nothing
    concurrency: int = 8
    visibility: int = VISIBILITY
    clock: FakeClock = field(default_factory=FakeClock)
    dice: Dice = field(default_factory=Dice)
    facts: list[Fact] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    beat_at: float = 0.0

    def __post_init__(self) -> None:
        self.mailbox = FakeMailbox(self.clock)
        self.others = {queue: FakeMailbox(self.clock) for queue in (Queue.STATE, Queue.CLEANUP)}
        self.events = FakeMailbox(self.clock)
        self.leases = FakeLeases(self.clock)
        self.metrics = Metrics()
        self.worker = self.make_worker()

    def make_worker(self) -> Worker:
        """Make another worker on the same queue and the same store."""
        publisher = Publisher(
            {Queue.SUBMIT: self.mailbox, **self.others}, [self.events], self.dice, self.rest
        )
        means = Means(
            mailbox=self.mailbox,
            publisher=publisher,
            leases=self.leases,
            world=self._world,
            tell=self._tell,
            metrics=self.metrics,
            clock=self.clock,
            chance=self.dice,
            rest=self.rest,
        )
        stages: Mapping[type[BaseModel], Stage] = {PlanBatch: self._stage}
        return Worker(Queue.SUBMIT, stages, means, Pace(self.concurrency, self.visibility, 20))

    # ── steps ──

    def poll(self, worker: Worker | None = None) -> float:
        return (worker or self.worker).poller.turn()

    def work(self, worker: Worker | None = None) -> None:
        """Handle everything in hand."""
        (worker or self.worker).handle_waiting()

    def flush(self, worker: Worker | None = None) -> float:
        return (worker or self.worker).flush()

    def run(self, worker: Worker | None = None) -> None:
        """Receive, handle, delete: one time around."""
        self.poll(worker)
        self.work(worker)
        self.flush(worker)

    def rest(self, seconds: float) -> None:
        """Let time pass as a thread that waits would, with the heartbeat going on."""
        self.rests.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float, worker: Worker | None = None) -> None:
        """Let time pass with heartbeats as often as the worker wants them."""
        heartbeat = (worker or self.worker).heartbeat
        end = self.clock.seconds + seconds
        while (next_beat := max(self.clock.seconds, self.beat_at + heartbeat.pause())) < end:
            self.clock.advance(next_beat - self.clock.seconds)
            heartbeat.beat()
            self.beat_at = self.clock.seconds
        self.clock.advance(end - self.clock.seconds)

    def metric(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(f"novabatch_{name}", {"queue": "submit", **labels})
        assert value is not None, f"no {name} with {labels}"
        return value

    def outcomes(self) -> dict[str, float]:
        """Return how often each outcome was counted, without zeros."""
        words = ("success", "retry", "poison", "duplicate", "released", "lease_lost")
        counts = {word: self.metric("consumer_messages_total", outcome=word) for word in words}
        return {word: count for word, count in counts.items() if count}

    def _stage(self, message: Any, world: World) -> Outcome:
        self.handled.append(message.batch_id)
        return self.stage(message, world)

    def _tell(self, facts: Any) -> None:
        self.facts += facts

    def _world(self, hold: Hold) -> World:
        missing: Any = None
        return World(
            self.clock.now(), POLICY, load_models(), REGISTRY, missing, missing, missing, missing, hold.take,
            hold.checkpoint,
        )  # fmt: skip


def holding(id: str, then: Callable[[World], Outcome]) -> Stage:
    """Make a stage that takes the lease of a chunk first."""

    def stage(message: Any, world: World) -> Outcome:
        return then(world) if world.hold(Leased.CHUNK, id) else Done()

    return stage


def steps(count: int, seconds: float, bench: Callable[[], Bench], worker: Sequence[Worker] = ()) -> Stage:
    """Make a stage of so many steps, each as long, with a checkpoint between."""

    def stage(message: Any, world: World) -> Outcome:
        for _ in range(count):
            bench().pass_time(seconds, *worker)
            world.checkpoint()
        return Done()

    return stage
