"""Any order of receipts, beats, expiries, crashes and stops, with handlers in the middle of their work.

Two processes share a queue and a store. Several messages are about the same row; whoever holds the row's
lease may commit its one effect, and finds out by the lease alone whether it still may.
"""

import threading
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumers.core.faults import LeaseLost, PassingFault, Throttled
from consumers.core.rows import Held, Leased
from consumers.core.world import Done, Later, Outcome, World
from daemon.loop.draining import Drain
from daemon.worker import Worker
from schemas.messages import PlanBatch, SettleBatch
from schemas.queues import Queue
from tests.daemon.bench import VISIBILITY, Bench
from tests.daemon.parked import Crash, Parked
from tests.depth import examples

ROWS = [f"b{number:020}" for number in range(3)]
HOSTILE = '{"type": "dance"}'
PLACES = 3
DRAIN_SECONDS = 30.0
LEFT_BEHIND = "the process stops"
WORDS = st.sampled_from(["commit", "look", "fault", "bug", "later"])
NATURES = st.sampled_from(["commit", "look", "hang"])
CALLS = st.sampled_from(
    ["sqs receive", "sqs extend", "sqs delete", "sqs bury", "store take", "store renew", "store release"]
)
HOW = st.sampled_from(["fails", "answer lost", "refused", "gone"])
WHICH = st.integers(0, 1)
COUNTS = st.sampled_from([0, PLACES, PLACES])


class LeaseMachine(RuleBasedStateMachine):
    """Worker, heartbeat, deleter, burier and drain are the real ones; queue, leases and clock are fakes."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.stage, concurrency=PLACES)
        self.mailbox, self.clock = self.bench.mailbox, self.bench.clock
        self.mailbox.max_receives = 10_000
        self.local = threading.local()
        self.parked: list[Parked] = []
        self.effects: Counter[str] = Counter()
        self.posted: dict[str, str] = {}
        self.left: set[str] = set()
        self.begun = 0
        self.workers = [self.prepared(self.bench.worker), self.prepared(self.bench.make_worker())]

    def prepared(self, worker: Worker) -> Worker:
        worker.poller.look_every = 0.0
        return worker

    # ── the stage, in a handler's thread ──

    def stage(self, message: Any, world: World) -> Outcome:
        row = message.batch_id
        held = world.hold(Leased.BATCH, row)
        if held is None:
            self.left.add(row)  # its holder goes on with it, or the reconciler, should that one be lost
            return Done()
        follows = (SettleBatch(batch_id=row),)
        if self.effects[row]:
            return Done(then=follows)
        handler: Parked = self.local.handler
        while (word := handler.park()) == "look":
            world.checkpoint()
        return self.go_on(word, held, follows)

    def go_on(self, word: str, held: Held, follows: tuple[SettleBatch, ...]) -> Outcome:
        match word:
            case "commit":
                self.commit(held)
                return Done(then=follows)
            case "later":
                return Later(30, "not yet")
            case "fault":
                raise PassingFault("down")
            case "bug":
                raise ZeroDivisionError
            case _:
                raise Crash

    def commit(self, held: Held) -> None:
        """Write as the store does: only under the token that was taken."""
        token, _ = self.bench.leases.held.get((held.kind, held.id), ("", 0.0))
        if token != held.token:
            raise LeaseLost("the row is another's")
        self.effects[held.id] += 1

    # ── what happens ──

    @initialize(rows=st.lists(st.sampled_from(ROWS), min_size=3, max_size=6), count=COUNTS)
    def post_some(self, rows: list[str], count: int) -> None:
        """Begin where it becomes interesting: with messages, and handlers at work on some."""
        for row in rows:
            self.post(row)
        self.receive(0, count)

    @rule(row=st.sampled_from([*ROWS, ""]))
    def post(self, row: str) -> None:
        """Send a message about a row, or one that can never work."""
        body = PlanBatch(batch_id=row).model_dump_json() if row else HOSTILE
        self.posted[self.mailbox.post(body)] = row

    @rule(which=WHICH, count=COUNTS)
    def receive(self, which: int, count: int) -> None:
        """Poll once, and let so many threads begin; the rest waits for one."""
        self.workers[which].poller.turn()
        for _ in range(count):
            self.begin_one(self.workers[which])

    def begin_one(self, worker: Worker) -> None:
        """Let one more thread handle what is in hand, if one is idle."""
        busy = sum(each.worker is worker for each in self.parked)
        if busy >= worker.slots.busy or busy >= PLACES:
            return
        self.begun += 1
        handler = Parked(worker, f"handler-{self.begun}")

        def note(me: Parked) -> None:
            self.local.handler = me

        handler.begin(note)
        if not handler.over:
            self.parked.append(handler)

    @precondition(lambda self: self.parked)
    @rule(number=st.integers(0, 5), word=WORDS, sent=st.booleans(), finished=st.booleans())
    def go_on_with(self, number: int, word: str, sent: bool, finished: bool) -> None:
        """Let a handler go on; what follows may not be sent, and deletions may be made at once."""
        if not sent:
            self.bench.others[Queue.STATE].calls.fail_next("send", PassingFault("down"))
        handler = self.parked[number % len(self.parked)]
        self.resume(handler, word)
        if finished:
            handler.worker.flush()
        self.bench.others[Queue.STATE].heal()

    @precondition(lambda self: self.parked)
    @rule(number=st.integers(0, 5), sent=st.booleans())
    def succeed(self, number: int, sent: bool) -> None:
        """Let a handler commit, and make its deletion at once."""
        self.go_on_with(number, "commit", sent, True)

    def resume(self, handler: Parked, word: str) -> None:
        handler.resume(word)
        if handler.over:
            self.parked.remove(handler)

    @rule(which=WHICH)
    def finish(self, which: int) -> None:
        self.workers[which].flush()

    @rule(seconds=st.sampled_from([1.0, VISIBILITY + 1, VISIBILITY + 1, 1000.0]))
    def stall(self, seconds: float) -> None:
        """Time passes and nobody beats: what is held may expire."""
        self.clock.advance(seconds)

    @rule(rounds=st.integers(1, 9))
    def live_on(self, rounds: int) -> None:
        """Time passes with beats as often as they are wanted."""
        for _ in range(rounds):
            self.clock.advance(min(worker.heartbeat.pause() for worker in self.workers))
            for worker in self.workers:
                worker.heartbeat.beat()

    @rule(call=CALLS, times=st.integers(1, 3), how=HOW)
    def trouble(self, call: str, times: int, how: str) -> None:
        """Let calls fail before they take effect, lose their answers, or refuse single entries."""
        of, _, name = call.partition(" ")
        if how in ("refused", "gone"):
            self.mailbox.refuse_next(name, final=how == "gone", times=times)
        else:
            calls = self.mailbox.calls if of == "sqs" else self.bench.leases.calls
            calls.fail_next(name, Throttled("slow down"), times=times, lost_answer=how == "answer lost")

    @rule(which=WHICH, natures=st.lists(NATURES, max_size=PLACES))
    def end(self, which: int, natures: list[str]) -> None:
        """End a process, and put another in its place: by SIGTERM, or at once where no nature is drawn."""
        if natures:
            self.sigterm(self.workers[which], natures)
        for handler in [each for each in self.parked if each.worker is self.workers[which]]:
            self.resume(handler, "die")
        self.workers[which] = self.prepared(self.bench.make_worker())

    def sigterm(self, worker: Worker, natures: list[str]) -> None:
        """Stop a process while AWS works: it drains, and nothing stays hidden for its sake."""
        self.mend()
        worker.stop.set()
        worker.poller.turn()  # the poll that was open
        for _ in range(PLACES):
            self.begin_one(worker)
        holds = [each for each in worker.heartbeat.holds() if each.received is not None]
        behave = dict(zip((each for each in self.parked if each.worker is worker), natures, strict=False))
        Drain([worker], DRAIN_SECONDS, self.clock, lambda _: self.tick(worker, behave), lambda: False).run()
        assert worker.is_flushed
        assert worker.slots.busy == sum(each.worker is worker for each in self.parked)
        ours = {each.received.id for each in holds if each.received and each.lost in ("", LEFT_BEHIND)}
        assert not ours.intersection(self.mailbox.hidden()), "a message stays hidden"

    def tick(self, worker: Worker, behave: dict[Parked, str]) -> None:
        """A second of a drain: threads go on, each after its nature."""
        self.clock.advance(1.0)
        if round(self.clock.seconds) % (VISIBILITY // 4) == 0:
            worker.heartbeat.beat()
        for handler in [each for each in self.parked if each.worker is worker]:
            if (word := behave.get(handler, "commit")) != "hang":
                self.resume(handler, word)
        self.begin_one(worker)
        worker.flush()

    @precondition(lambda self: self.left)
    @rule()
    def reconcile(self) -> None:
        """Send again for the rows that nobody holds any more."""
        for row in [each for each in self.left if self.bench.leases.holder(Leased.BATCH, each) is None]:
            self.post(row)
            self.left.remove(row)

    def mend(self) -> None:
        """Let AWS and the database work again."""
        self.mailbox.heal()
        self.bench.others[Queue.STATE].heal()
        self.bench.leases.calls.heal()

    # ── what holds at every moment ──

    @invariant()
    def no_effect_is_committed_twice(self) -> None:
        assert all(count == 1 for count in self.effects.values() if count)

    @invariant()
    def no_message_is_in_two_hands(self) -> None:
        ours = Counter(
            hold.received.id
            for worker in self.workers
            for hold in worker.heartbeat.holds()
            if hold.received is not None and not hold.settled and not hold.lost
        )
        assert all(count == 1 for count in ours.values()), ours

    @invariant()
    def nothing_is_lost(self) -> None:
        there = {self.posted[id] for id in self.mailbox.messages}
        told = {message.body for message in self.bench.others[Queue.STATE].messages.values()}
        for row in set(self.posted.values()) - {""} - there - self.left:
            assert self.effects[row] == 1, "deleted before its effect was there"
            assert any(row in body for body in told), "deleted before what follows was sent"
        buried = sum(id not in self.mailbox.messages for id, row in self.posted.items() if not row)
        assert len(self.mailbox.dead) >= buried

    @invariant()
    def places_add_up(self) -> None:
        for worker in self.workers:
            at_work = sum(each.worker is worker for each in self.parked)
            assert at_work <= worker.slots.busy <= worker.slots.total

    def teardown(self) -> None:
        """When faults end, all is dealt with: every effect once, no place taken, no lease held."""
        self.mend()
        for which in (0, 1):
            while mine := [each for each in self.parked if each.worker is self.workers[which]]:
                self.resume(mine[0], "commit")
            self.begin_all(self.workers[which])
        for _ in range(8 * len(self.posted)):
            self.clock.advance(1000.0)
            self.reconcile()
            for worker in self.workers:
                worker.poller.turn()
                self.begin_all(worker)
        assert self.mailbox.messages == {}
        for worker in self.workers:
            assert worker.is_flushed
            assert worker.slots.busy == 0
            assert worker.heartbeat.holds() == ()
        assert all(self.bench.leases.holder(Leased.BATCH, row) is None for row in ROWS)
        assert not self.left
        self.nothing_is_lost()
        self.no_effect_is_committed_twice()

    def begin_all(self, worker: Worker) -> None:
        """Let a worker deal with all that it has in hand."""
        for _ in range(worker.slots.total + 1):
            self.begin_one(worker)
            for handler in [each for each in self.parked if each.worker is worker]:
                self.resume(handler, "commit")
        worker.flush()


LeaseMachine.TestCase.settings = settings(
    max_examples=examples(50, 150), stateful_step_count=40, deadline=None
)
TestLeases = LeaseMachine.TestCase
