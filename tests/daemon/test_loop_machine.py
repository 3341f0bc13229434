"""Any order of receipts, beats, faults, expiries, crashes and stops keeps the promises of the loop."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.core.faults import PassingFault, Throttled
from consumers.core.rows import Leased
from consumers.core.world import Done, Later, Outcome, World
from tests.daemon.bench import BODY, VISIBILITY, Bench
from tests.depth import examples

CALLS = st.sampled_from(["receive", "extend", "delete", "bury"])
HOSTILE = '{"type": "dance"}'


class LoopMachine(RuleBasedStateMachine):
    """Two processes on one queue. Each message's work is one committed effect, guarded by a lease."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.stage, concurrency=3)
        self.bench.mailbox.max_receives = 10_000
        self.workers = [self.bench.worker, self.bench.make_worker()]
        self.plan: list[str] = []
        self.posted = 0
        self.hostile: set[str] = set()

    def stage(self, message: Any, world: World) -> Outcome:
        if world.hold(Leased.CHUNK, "one") is None:
            return Done()
        match self.plan.pop() if self.plan else "done":
            case "slow":
                self.bench.clock.advance(VISIBILITY * 1.5)
                world.checkpoint()
                raise AssertionError("worked on although the message was lost")
            case "fault":
                raise PassingFault("down")
            case "bug":
                raise ZeroDivisionError
            case "later":
                return Later(30, "not yet")
            case _:
                return Done()

    @rule(count=st.integers(1, 4))
    def post(self, count: int) -> None:
        for _ in range(count):
            self.bench.mailbox.post(BODY)
        self.posted += count

    @rule(count=st.integers(1, 4))
    def post_hostile(self, count: int) -> None:
        self.hostile |= {self.bench.mailbox.post(HOSTILE) for _ in range(count)}
        self.posted += count

    @rule(kind=st.sampled_from(["slow", "fault", "bug", "later"]))
    def prepare(self, kind: str) -> None:
        self.plan.append(kind)

    @rule(which=st.integers(0, 1))
    def poll(self, which: int) -> None:
        worker = self.workers[which]
        worker.poller.look_every = 0.0
        worker.poller.turn()

    @rule(which=st.integers(0, 1))
    def work(self, which: int) -> None:
        self.workers[which].handle_waiting()

    @rule(which=st.integers(0, 1))
    def beat(self, which: int) -> None:
        self.workers[which].heartbeat.beat()

    @rule(which=st.integers(0, 1))
    def flush(self, which: int) -> None:
        self.workers[which].flush()

    @rule(seconds=st.sampled_from([1, VISIBILITY / 3, VISIBILITY + 1, 1000]))
    def wait(self, seconds: float) -> None:
        self.bench.clock.advance(seconds)

    @rule(call=CALLS, times=st.integers(1, 3))
    def fail(self, call: str, times: int) -> None:
        self.bench.mailbox.calls.fail_next(call, Throttled("slow down"), times=times)

    @rule(call=st.sampled_from(["extend", "delete"]), final=st.booleans())
    def refuse(self, call: str, final: bool) -> None:
        self.bench.mailbox.refuse_next(call, final=final)

    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        """The process is gone with all it had in hand; another takes its place."""
        self.workers[which] = self.bench.make_worker()

    @rule(which=st.integers(0, 1))
    @precondition(lambda self: not all(worker.stop.is_set() for worker in self.workers))
    def stop(self, which: int) -> None:
        self.workers[which].stop.set()

    @invariant()
    def places_add_up(self) -> None:
        for worker in self.workers:
            assert 0 <= worker.slots.busy <= worker.slots.total

    @invariant()
    def nothing_is_lost(self) -> None:
        mailbox = self.bench.mailbox
        assert len(mailbox.messages) + len(mailbox.deleted) == self.posted
        assert len(set(mailbox.deleted)) == len(mailbox.deleted)
        assert {letter.body for letter in mailbox.dead} <= {HOSTILE}
        assert len(self.hostile.intersection(mailbox.deleted)) <= len(mailbox.dead)

    def teardown(self) -> None:
        """When faults end, everything is dealt with, nothing is left in hand, and all places are free."""
        self.plan.clear()
        self.bench.mailbox.heal()
        for worker in self.workers:
            worker.handle_waiting()
            worker.flush()
            assert worker.is_flushed
            assert worker.slots.busy == 0
            assert worker.heartbeat.holds() == ()
        fresh = self.bench.make_worker()
        for _ in range(self.posted + 3):
            self.bench.clock.advance(1000)
            self.bench.run(fresh)
        assert self.bench.mailbox.messages == {}


LoopMachine.TestCase.settings = settings(max_examples=examples(30, 60), stateful_step_count=30, deadline=None)
TestLoop = LoopMachine.TestCase
