"""The age of the oldest message goes on growing until somebody has dealt with it."""

from typing import Any

from consumers.core.faults import PassingFault
from consumers.core.world import Done, Outcome, World
from daemon.loop.ages import COMES_AGAIN_WITHIN
from tests.daemon.bench import BODY, Bench


def age(bench: Bench) -> float:
    return bench.metric("queue_oldest_message_age_seconds", source="received")


def fails(message: Any, world: World) -> Outcome:
    raise PassingFault("S3 does not answer")


def test_a_message_that_fails_ages_between_its_receipts_whatever_else_is_received() -> None:
    bench = Bench(fails)
    bench.mailbox.post(BODY)
    bench.run()
    bench.stage = lambda message, world: Done()
    bench.clock.advance(1.0)
    bench.poll()
    assert age(bench) == 1
    bench.mailbox.post("no JSON")
    bench.run()
    assert age(bench) == 1


def test_a_message_that_is_dealt_with_at_last_is_old_no_more() -> None:
    bench = Bench(fails)
    bench.mailbox.post(BODY)
    bench.run()
    bench.pass_time(30)
    assert age(bench) == 30
    bench.stage = lambda message, world: Done()
    bench.run()
    assert bench.outcomes() == {"retry": 1, "duplicate": 1}
    assert age(bench) == 0


def test_a_message_in_hand_ages() -> None:
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.poll()
    bench.pass_time(1000)
    assert age(bench) == 1000


def test_a_message_that_does_not_come_again_is_anothers() -> None:
    bench = Bench(fails)
    bench.mailbox.post(BODY)
    bench.run()
    bench.mailbox.messages.clear()
    bench.clock.advance(COMES_AGAIN_WITHIN - 1)
    assert age(bench) == COMES_AGAIN_WITHIN - 1
    bench.clock.advance(1)
    assert age(bench) == 0
