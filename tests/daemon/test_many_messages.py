"""What the loop keeps, shows and counts over many messages."""

import gc
from collections.abc import Iterator
from typing import Any

from consumers.core.faults import PassingFault
from consumers.core.world import Done, Later, Outcome, Refuse, World
from daemon.loop.hold import Hold
from schemas.facts import Fact, Ignored
from tests.daemon.bench import BODY, Bench


def test_a_listener_that_raises_ends_no_loop_and_the_message_comes_again() -> None:
    """K2: what metrics and logs are told with may break as well."""
    bench = Bench(lambda message, world: Done((Ignored("a", "b"),)))
    said: list[Fact] = []
    broken = iter([True])

    class Listener(list[Fact]):
        def __iadd__(self, facts: Any) -> "Listener":  # type: ignore[override, misc]
            if next(broken, False):
                raise RuntimeError("no room for another label")
            said.extend(facts)
            return self

    bench.facts = Listener()
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"retry": 1}
    assert bench.worker.slots.busy == 0
    bench.clock.advance(900)
    bench.run()
    assert said == [Ignored("a", "b")]
    assert bench.mailbox.deleted == ["m1"]


def test_a_handler_that_hangs_shows_in_the_age_of_the_oldest() -> None:
    """K13: `consumer_inflight_oldest_seconds` grows, which an alert watches; its place stays taken."""
    ages: list[float] = []

    def hangs(message: Any, world: World) -> Outcome:
        for _ in range(3):
            bench.pass_time(1000)
            ages.append(bench.metric("consumer_inflight_oldest_seconds"))
        assert bench.worker.slots.busy == 1
        return Done()

    bench = Bench(hangs)
    bench.mailbox.post(BODY)
    bench.run()
    assert ages == [1000, 2000, 3000]
    assert bench.metric("consumer_inflight_oldest_seconds") == 0


def test_every_receive_reaches_a_handler() -> None:
    """P5: the count that leads to the dead letters grows by nothing else."""
    ends: Iterator[Outcome] = iter([Done(), Later(1, "x"), Later(1, "x"), Done()] * 100)
    bench = Bench(lambda message, world: next(ends), concurrency=3)
    for _ in range(20):
        bench.mailbox.post(BODY)
    while bench.mailbox.messages:
        bench.run()
        bench.clock.advance(2)
    assert len(bench.mailbox.deliveries) == len(bench.handled) > 20


def test_a_dead_letter_is_sent_once_although_its_deletion_fails() -> None:
    """P6: what is buried is only deleted again, with the newest receipt too."""
    bench = Bench(lambda message, world: Refuse("code", "why"))
    bench.mailbox.post(BODY)
    bench.mailbox.calls.fail_next("delete", PassingFault("timed out"), times=2)
    bench.run()
    bench.flush()
    bench.clock.advance(1000)
    bench.run()
    assert bench.mailbox.messages == {}
    assert len(bench.mailbox.dead) == 1
    assert bench.mailbox.calls.count("delete") == 3


def test_nothing_is_kept_of_messages_that_are_done_with() -> None:
    """C2: after five hundred of every kind there is no hold, and none waits anywhere."""
    of_others = {id(each): each for each in _holds()}
    ends: Iterator[Outcome] = iter([Done(), Refuse("code", "why"), Done(), Done()] * 200)
    bench = Bench(lambda message, world: next(ends), concurrency=10)
    for _ in range(500):
        bench.mailbox.post(BODY)
    while bench.mailbox.messages:
        bench.run()
        assert len(bench.worker.heartbeat.holds()) <= bench.worker.slots.total + 10
    assert [each for each in _holds() if id(each) not in of_others] == []


def _holds() -> list[Hold]:
    """Return the holds of messages that anybody in this process still refers to."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Hold) and each.received is not None]


def test_no_timer_drives_the_loop_while_there_are_messages() -> None:
    """C3, C4: one poll follows another at once, and an idle one is open all the time."""
    bench = Bench(concurrency=10)
    for _ in range(100):
        bench.mailbox.post(BODY)
    rests = []
    while bench.mailbox.messages:
        rests.append(bench.poll())
        bench.work()
        bench.flush()
    rests.append(bench.poll())
    assert rests == [0.0] * 11
    assert bench.rests == []
    assert bench.clock.seconds == 0
