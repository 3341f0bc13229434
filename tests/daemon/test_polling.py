"""The loop never goes deaf, never runs hot, and asks for no more than it can hold."""

import threading
from typing import Any

import pytest

from consumers.core.faults import Denied, Fault, Missing, PassingFault, Rejected, Throttled
from consumers.core.world import Done, Outcome, World
from daemon.loop.draining import Drain
from tests.daemon.bench import BODY, Bench

ERRORS = [
    PassingFault("timed out"),
    Throttled("slow down"),
    Denied("no permission"),
    Missing("no such queue"),
    Rejected("bad request"),
    Fault("anything else"),
    RuntimeError("a bug"),
    ValueError("another bug"),
    KeyError("key"),
    OSError("network"),
    AssertionError("assert"),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"", 0, 1, "bad"),
]
CALLS = ("receive", "extend", "delete", "send", "bury")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", CALLS)
def test_no_error_at_any_call_leaks_a_place_or_ends_the_loop(call: str, error: Exception) -> None:
    """K1, K2: afterwards all places are free and a new message is handled."""
    from schemas.messages import SettleBatch

    bench = Bench(lambda message, world: Done(then=(SettleBatch(batch_id=message.batch_id),)))
    for mailbox in (bench.mailbox, bench.others[next(iter(bench.others))]):
        mailbox.calls.fail_next(call, error)
    bench.mailbox.post(BODY)
    bench.mailbox.post("no JSON")
    for _ in range(3):
        _try(bench)
    bench.pass_time(1000)
    for _ in range(3):
        _try(bench)
    before = len(bench.handled)
    bench.mailbox.post(BODY)
    _try(bench)
    assert len(bench.handled) > before
    assert bench.worker.slots.busy == 0
    _try(bench)
    assert bench.mailbox.messages == {}
    assert bench.worker.heartbeat.holds() == ()


def _try(bench: Bench) -> None:
    """Take all steps as the threads do: what one raises is logged there, and the next turn comes."""
    for step in (bench.poll, bench.work, bench.worker.heartbeat.beat, bench.flush):
        try:
            step()
        except Exception as error:
            assert error in ERRORS, error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_stage_raises_the_message_comes_again_and_the_place_is_free(error: Exception) -> None:
    """K1, K2: also for what nobody expected."""

    def raises(message: Any, world: World) -> Outcome:
        raise error

    bench = Bench(raises)
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.worker.slots.busy == 0
    assert bench.outcomes() == {"retry": 1}
    bench.clock.advance(900)
    assert bench.mailbox.visible() == ["m1"]


def test_polls_that_fail_come_slower_and_slower() -> None:
    """K4: a missing queue is asked for once a backoff step, at most once a minute in the end."""
    bench = Bench()
    bench.mailbox.calls.fail_next("receive", Missing("no such queue"), times=1000)
    began = bench.clock.seconds
    while bench.clock.seconds - began < 600:
        rest = bench.poll()
        assert rest > 0.4
        bench.clock.advance(rest)
    assert bench.mailbox.calls.count("receive") < 30
    assert bench.metric("consumer_receives_total", result="error") == bench.mailbox.calls.count("receive")


def test_the_first_poll_that_works_ends_the_backoff() -> None:
    """K5: no restart is needed."""
    bench = Bench()
    bench.mailbox.calls.fail_next("receive", PassingFault("timed out"), times=20)
    for _ in range(20):
        bench.poll()
    bench.mailbox.post(BODY)
    assert bench.poll() == 0
    bench.work()
    assert bench.outcomes() == {"success": 1}


def test_the_loop_asks_only_for_as_many_messages_as_there_are_places() -> None:
    """S2: nothing waits in a buffer of ours."""
    bench = Bench(concurrency=3)
    for _ in range(10):
        bench.mailbox.post(BODY)
    bench.poll()
    assert bench.mailbox.calls.log[-1] == ("receive", "3")
    assert bench.worker.slots.free == 0


def test_all_places_busy_is_alive() -> None:
    """K9: work that takes long is no stall."""
    bench = Bench(concurrency=1)
    bench.worker.poller.look_every = 0.0
    bench.mailbox.post(BODY)
    bench.poll()
    for _ in range(20):
        bench.pass_time(60)
        bench.worker.poller.turn()
        assert bench.worker.is_turning
    assert bench.mailbox.calls.count("receive") == 1


def test_a_poller_that_no_longer_turns_is_not_alive() -> None:
    """K10: the process says so."""
    bench = Bench()
    bench.poll()
    bench.clock.advance(600)
    assert not bench.worker.is_turning


def test_a_loop_that_was_told_to_stop_is_alive_while_its_work_ends_but_no_longer_than_its_drain() -> None:
    """K9: a drain of minutes is no stall, and no watchdog may end it."""
    bench, alive, hung = Bench(concurrency=1), [], threading.Event()
    bench.worker.threads.repeat("handler", lambda: 1.0, hung)
    began = bench.clock.seconds

    def rest(_: float) -> None:
        alive.append(bench.worker.is_turning)
        bench.clock.advance(10)

    assert not Drain([bench.worker], 600, bench.clock, rest, lambda: False).run()
    hung.set()
    assert len(alive) > 60
    assert all(alive)
    bench.clock.advance(began + 700 - bench.clock.seconds)
    assert not bench.worker.is_turning


def test_a_message_that_comes_when_the_loop_stops_is_given_back() -> None:
    """S1: at once, and no handler begins."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.worker.stop.set()
    bench.poll()
    assert bench.mailbox.visible() == ["m1"]
    assert bench.metric("consumer_released_on_shutdown_total") == 1


def test_what_was_received_before_the_stop_is_worked_on() -> None:
    """S3: there is a thread for each; giving it back would cost one of its receives."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.poll()
    bench.worker.stop.set()
    bench.work()
    bench.flush()
    assert bench.mailbox.deleted == ["m1"]


def test_under_load_nothing_is_given_back_at_a_stop() -> None:
    """S3: a poll that a backlog answers at once."""
    bench = Bench()
    for _ in range(12):
        bench.mailbox.post(BODY)
    bench.run()
    bench.worker.stop.set()
    bench.run()
    assert len(bench.mailbox.deleted) == 12


def test_a_handler_that_listens_stops_at_its_next_checkpoint() -> None:
    """S5, S10: cancelled by the stop, not by a fault: given back at once."""
    bench = Bench()

    def long(message: Any, world: World) -> Outcome:
        for hold in bench.worker.heartbeat.holds():
            hold.cancel()
        world.checkpoint()
        raise AssertionError("the checkpoint let it pass")

    bench.stage = long
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.mailbox.visible() == ["m1"]
    assert bench.outcomes() == {"released": 1}


def test_an_idle_hour_takes_no_more_than_three_receives_a_minute() -> None:
    """C1: an empty poll of 20 s is followed by the next one, nothing else."""
    bench = Bench()

    def wait(call: str) -> None:
        if call.startswith("mailbox.receive") and not call.endswith("done"):
            bench.clock.advance(20)

    bench.mailbox.on_call = wait
    while bench.clock.seconds < 3600:
        bench.clock.advance(bench.poll())
    assert bench.mailbox.calls.count("receive") <= 181


def test_the_fault_of_one_message_stops_nobody_else() -> None:
    """lessons 23: ten come together, nine work."""
    broken = iter([True] + [False] * 20)

    def sometimes(message: Any, world: World) -> Outcome:
        if next(broken):
            raise RuntimeError("a bug")
        return Done()

    bench = Bench(sometimes, concurrency=10)
    for _ in range(10):
        bench.mailbox.post(BODY)
    bench.run()
    assert bench.outcomes() == {"retry": 1, "success": 9}
