"""Refused messages share their calls, hold up nobody, and none of them is lost."""

import json

import pytest

from consumers.core.faults import Denied, PassingFault
from daemon.loop.burying import CROWD
from daemon.loop.draining import Drain
from daemon.mailbox import BATCH
from tests.daemon.bench import BODY, Bench


def hostile(name: str) -> str:
    """Return a request that is refused and whose sender hears of it."""
    return json.dumps({"request_id": name, "model": "nova-2-lite", "filez": []})


def bench_with(count: int, places: int = BATCH) -> Bench:
    bench = Bench(concurrency=places)
    for number in range(count):
        bench.mailbox.post(hostile(f"r{number}"))
    return bench


def heard(bench: Bench) -> list[str]:
    return [json.loads(each.body)["detail"]["request_id"] for each in bench.events.messages.values()]


def buried(bench: Bench) -> list[str]:
    return [json.loads(each.body)["request_id"] for each in bench.mailbox.dead]


def test_ten_that_are_refused_take_one_call_of_each_kind() -> None:
    bench = bench_with(10)
    bench.run()
    names = [f"r{number}" for number in range(10)]
    assert heard(bench) == buried(bench) == names
    assert bench.events.calls.log == [("send", "10")]
    assert bench.mailbox.calls.log == [("receive", "10"), ("bury", "10"), ("delete", "10")]
    assert bench.outcomes() == {"poison": 10}


def test_a_refused_message_holds_no_place_while_it_waits_for_others() -> None:
    bench = bench_with(3)
    bench.poll()
    bench.work()
    assert bench.worker.slots.busy == 0
    assert bench.mailbox.dead == []
    assert len(bench.worker.heartbeat.holds()) == 3


def test_where_many_wait_who_brings_another_lends_a_hand() -> None:
    bench = bench_with(5 * CROWD)
    while bench.mailbox.visible():
        bench.poll()
        bench.work()
    assert len(bench.mailbox.dead) >= 4 * CROWD
    bench.flush()
    assert bench.mailbox.messages == {}


@pytest.mark.parametrize("fault", [PassingFault("down"), Denied("no"), ZeroDivisionError()], ids=repr)
def test_letters_that_were_not_sent_come_again(fault: Exception) -> None:
    bench = bench_with(2)
    bench.mailbox.calls.fail_next("bury", fault)
    bench.run()
    assert bench.mailbox.deleted == []
    assert bench.outcomes() == {"retry": 2}
    assert bench.worker.heartbeat.holds() == ()
    bench.clock.advance(900)
    bench.run()
    assert buried(bench) == ["r0", "r1"]
    assert bench.mailbox.messages == {}


def test_no_letter_is_sent_before_its_sender_could_be_told() -> None:
    bench = bench_with(2)
    bench.events.calls.fail_next("send", PassingFault("down"))
    bench.run()
    assert bench.mailbox.dead == []
    assert bench.outcomes() == {"retry": 2}


def test_news_that_can_never_be_sent_hold_up_no_other() -> None:
    bench = bench_with(3)
    bench.events.refuse_next("send", "InvalidMessageContents", final=True, times=4)
    bench.run()
    assert len(bench.mailbox.dead) == 2
    assert bench.outcomes() == {"poison": 2, "retry": 1}


def test_good_messages_among_them_are_done_with() -> None:
    bench = bench_with(2)
    bench.mailbox.post(BODY)
    bench.mailbox.calls.fail_next("bury", PassingFault("down"))
    bench.run()
    assert bench.mailbox.deleted == ["m3"]
    assert bench.outcomes() == {"success": 1, "retry": 2}


def test_what_waits_to_be_buried_is_beaten() -> None:
    bench = bench_with(1)
    bench.poll()
    bench.work()
    bench.pass_time(1000)
    assert bench.mailbox.visible() == []
    bench.flush()
    assert bench.mailbox.deliveries == ["m1"]
    assert bench.mailbox.messages == {}


def test_a_stop_waits_until_everything_is_buried() -> None:
    bench = bench_with(3)
    bench.poll()
    bench.work()

    def rest(seconds: float) -> None:
        bench.pass_time(seconds)
        bench.flush()

    assert Drain([bench.worker], 10, bench.clock, rest, lambda: False).run()
    assert buried(bench) == ["r0", "r1", "r2"]
    assert bench.mailbox.messages == {}
    assert bench.metric("consumer_released_on_shutdown_total") == 0
