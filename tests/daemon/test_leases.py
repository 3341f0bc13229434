"""Messages and leases stay ours for as long as the work takes, and no longer."""

from typing import Any

import pytest

from consumers.core.faults import LeaseLost, PassingFault, Throttled
from consumers.core.rows import Leased
from consumers.core.world import Done, Later, Outcome, World
from daemon.loop.hold import MARGIN
from daemon.mailbox import LONGEST_HOLD
from schemas.facts import Ignored
from tests.daemon.bench import BODY, VISIBILITY, Bench, holding

HOUR = 3600


def test_work_ten_times_as_long_as_the_visibility_is_delivered_once() -> None:
    """L1: beats at half the visibility or sooner, for the message and for its leases."""
    bench = Bench()

    def long(world: World) -> Outcome:
        bench.pass_time(10 * VISIBILITY)
        world.checkpoint()
        assert bench.mailbox.visible() == []
        assert bench.leases.holder(Leased.CHUNK, "c")
        return Done()

    bench.stage = holding("c", long)
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.mailbox.deliveries == ["m1"]
    assert bench.outcomes() == {"success": 1}
    assert bench.leases.held == {}
    assert bench.worker.heartbeat.pause() <= VISIBILITY / 2


def test_beats_are_jittered() -> None:
    """L1: two workers do not beat in step for ever."""
    bench = Bench()
    bench.dice.value = 0.0
    first = bench.worker.heartbeat.pause()
    bench.dice.value = 0.9
    assert first < bench.worker.heartbeat.pause() <= VISIBILITY / 3


def test_a_message_is_kept_from_receipt_on_though_no_handler_has_begun() -> None:
    """L2: what waits for a thread does not expire."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.poll()
    bench.pass_time(5 * VISIBILITY)
    assert bench.mailbox.visible() == []
    bench.work()
    bench.flush()
    assert bench.mailbox.deleted == ["m1"]


def test_no_beat_follows_a_deletion() -> None:
    """L3: after the deletion nothing is extended, and nothing is counted as an error."""
    bench = Bench()
    for _ in range(8):
        bench.mailbox.post(BODY)
    bench.run()
    bench.worker.heartbeat.beat()
    assert bench.mailbox.calls.count("extend") == 0
    assert bench.metric("consumer_visibility_extensions_total", result="failed") == 0


def test_beats_that_fail_too_long_call_the_work_off() -> None:
    """L4: the message is another's by now: counted, nothing settled, nothing deleted."""
    bench = Bench()

    def long(message: Any, world: World) -> Outcome:
        bench.mailbox.calls.fail_next("extend", PassingFault("timed out"), times=100)
        bench.pass_time(VISIBILITY + 1)
        world.checkpoint()
        raise AssertionError("the checkpoint let it pass")

    bench.stage = long
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"lease_lost": 1}
    assert bench.metric("consumer_leases_lost_total") == 1
    assert bench.mailbox.deleted == []
    assert bench.mailbox.visible() == ["m1"]


def test_one_failed_beat_is_repeated_in_time() -> None:
    """L4: a single timeout costs nothing."""
    bench = Bench()

    def long(message: Any, world: World) -> Outcome:
        bench.mailbox.calls.fail_next("extend", PassingFault("timed out"))
        bench.pass_time(3 * VISIBILITY)
        world.checkpoint()
        return Done()

    bench.stage = long
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"success": 1}


def test_a_message_sqs_extends_no_more_is_lost() -> None:
    """L4: SQS says so entry by entry, in an answer with status 200."""
    bench = Bench()

    def long(message: Any, world: World) -> Outcome:
        bench.mailbox.refuse_next("extend", "ReceiptHandleIsInvalid", final=True)
        bench.pass_time(VISIBILITY / 2)
        world.checkpoint()
        raise AssertionError("the checkpoint let it pass")

    bench.stage = long
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"lease_lost": 1}


def test_a_lease_another_took_calls_the_work_off() -> None:
    """L4: fencing; what the stage wanted to follow is not published."""
    bench = Bench()

    def long(world: World) -> Outcome:
        bench.leases.held[Leased.CHUNK, "c"] = ("another", bench.clock.seconds + 100)
        bench.pass_time(VISIBILITY)
        with pytest.raises(LeaseLost):
            world.hold(Leased.BATCH, "b")
        return Done((Ignored("x", "y"),))

    bench.stage = holding("c", long)
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"lease_lost": 1}
    assert bench.facts == []
    assert bench.leases.holder(Leased.CHUNK, "c") == "another"


def test_beats_go_on_until_sqs_has_heard_when_the_message_shall_come_again() -> None:
    """L5: a throttled change of visibility lets nothing come back early."""
    bench = Bench()

    def fails(message: Any, world: World) -> Outcome:
        bench.pass_time(VISIBILITY - 1)
        bench.mailbox.calls.fail_next("extend", Throttled("slow down"), times=3)
        return Later(300, "not yet")

    bench.stage = fails
    bench.mailbox.post(BODY)
    bench.run()
    bench.clock.advance(299)
    assert bench.mailbox.visible() == []
    bench.clock.advance(2)
    assert bench.mailbox.visible() == ["m1"]
    assert bench.outcomes() == {"retry": 1}


def test_no_extension_reaches_beyond_twelve_hours() -> None:
    """L6: at the margin the work is called off instead of beaten."""
    bench = Bench(visibility=HOUR)

    def endless(message: Any, world: World) -> Outcome:
        while True:
            bench.pass_time(600)
            world.checkpoint()

    bench.stage = endless
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"lease_lost": 1}
    assert LONGEST_HOLD - MARGIN - HOUR <= bench.clock.seconds <= LONGEST_HOLD
    assert bench.metric("consumer_visibility_extensions_total", result="failed") == 0


def test_later_is_cut_to_what_is_left_of_the_twelve_hours() -> None:
    """L6: SQS refuses more."""
    bench = Bench(lambda message, world: Later(50_000, "long"))
    bench.mailbox.post(BODY)
    bench.run()
    bench.clock.advance(LONGEST_HOLD)
    assert bench.mailbox.visible() == ["m1"]


def test_a_refused_deletion_is_counted_and_the_loop_goes_on() -> None:
    """L7: ReceiptHandleIsInvalid ends nothing."""
    bench = Bench()
    bench.mailbox.refuse_next("delete", "ReceiptHandleIsInvalid", final=True)
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.metric("consumer_acks_total", result="failed") == 1
    assert bench.worker.deleter.is_empty
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.mailbox.deleted == ["m2"]


def test_a_failed_deletion_is_repeated_with_the_newest_receipt() -> None:
    """L8, L10: a finished message that comes again is deleted, not handled again."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.mailbox.calls.fail_next("delete", PassingFault("timed out"))
    bench.run()
    assert not bench.worker.deleter.is_empty
    bench.clock.advance(VISIBILITY + 1)
    bench.poll()
    bench.work()
    assert bench.outcomes() == {"success": 1, "duplicate": 1}
    assert len(bench.handled) == 1
    bench.flush()
    assert bench.mailbox.deleted == ["m1"]
    assert bench.worker.slots.busy == 0


def test_what_waits_for_its_deletion_is_still_kept() -> None:
    """L8: while SQS throttles deletions nobody else gets the message."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.mailbox.calls.fail_next("delete", Throttled("slow down"), times=3)
    bench.run()
    for _ in range(3):
        bench.pass_time(VISIBILITY)
        assert bench.mailbox.visible() == []
        bench.flush()
    assert bench.mailbox.deleted == ["m1"]
    assert bench.mailbox.deliveries == ["m1"]


def test_a_message_delivered_twice_is_deleted_in_one_call() -> None:
    """L9: the same message twice among the deletions."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.poll()
    bench.clock.advance(VISIBILITY + 1)
    bench.poll()
    bench.work()
    bench.flush()
    assert bench.mailbox.calls.log.count(("delete", "1")) == 1
    assert bench.mailbox.messages == {}
    assert bench.worker.heartbeat.holds() == ()


def test_a_drain_three_times_the_visibility_keeps_the_message() -> None:
    """S7: beats go on until the last deletion; nobody else gets it."""
    bench = Bench()
    other = bench.make_worker()

    def long(message: Any, world: World) -> Outcome:
        bench.worker.stop.set()
        for _ in range(3):
            bench.pass_time(VISIBILITY)
            bench.poll(other)
        world.checkpoint()
        return Done()

    bench.stage = long
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.mailbox.deliveries == ["m1"]
    assert bench.mailbox.deleted == ["m1"]


def test_a_thousand_messages_in_hand_take_a_hundred_calls_a_beat() -> None:
    """consumers.md §5: leases are beaten ten a call."""
    bench = Bench(concurrency=1000)
    for _ in range(1000):
        bench.mailbox.post(BODY)
    for _ in range(100):
        bench.poll()
    bench.worker.heartbeat.beat()
    assert bench.mailbox.calls.count("extend") == 100
