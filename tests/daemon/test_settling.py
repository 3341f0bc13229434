"""What becomes of a message: deleted, given back, or buried with a reason."""

import json
import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from consumers.core.faults import Denied, PassingFault, Throttled
from consumers.core.world import Done, Later, Outcome, Refuse, World
from schemas.events import Event, EventName
from schemas.facts import Ignored
from schemas.messages import CleanupChunk, PlanBatch, SettleBatch
from schemas.queues import Queue
from tests.daemon.bench import BATCH_ID, BODY, Bench

HOSTILE = {
    "empty": ("", "invalid_json"),
    "no JSON": ("{", "invalid_json"),
    "a list": ("[1]", "invalid_json"),
    "deep": ("[" * 100_000, "invalid_json"),
    "half a character": ('{"request_id": "\\ud800"}', "invalid_text"),
    "long": ("x" * 1_000_000, "invalid_json"),
    "unknown type": ('{"type": "dance"}', "unknown_type"),
    "wrong types": ('{"request_id": 5, "model": [], "files": "all"}', "invalid_message"),
    "unknown version": (BODY.replace('"version":1', '"version":9'), "invalid_message"),
    "from SNS": ('{"Type": "Notification", "Message": "{}"}', "invalid_message"),
    "another's event": ('{"detail-type": "EC2 Instance State-change Notification"}', "invalid_message"),
    "a number": ("7", "invalid_json"),
}


@pytest.mark.parametrize(("body", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_can_never_work_is_buried_at_once_with_the_reason(body: str, code: str) -> None:
    """P1: after one receive, and the loop goes on."""
    bench = Bench()
    bench.mailbox.post(body)
    bench.mailbox.post(BODY)
    bench.run()
    assert [(dead.body, dead.code) for dead in bench.mailbox.dead] == [(body, code)]
    assert bench.mailbox.dead[0].why
    assert bench.mailbox.messages == {}
    assert bench.outcomes() == {"poison": 1, "success": 1}


def test_a_sender_hears_of_an_unreadable_request_that_names_itself() -> None:
    """P1: Batch Refused, with the same code and reason as the dead letter."""
    bench = Bench()
    bench.mailbox.post('{"request_id": "r-7", "model": "nova-2-lite", "filez": []}')
    bench.run()
    (sent,) = (json.loads(each.body) for each in bench.events.messages.values())
    assert sent["detail-type"] == "Batch Refused"
    assert sent["detail"]["request_id"] == "r-7"
    assert sent["detail"]["error_code"] == bench.mailbox.dead[0].code == "invalid_message"
    assert "filez" in sent["detail"]["error_message"]


def _raise(error: Exception) -> Any:
    def stage(message: Any, world: World) -> Outcome:
        raise error

    return stage


OUTCOMES: dict[str, tuple[Any, str]] = {
    "done": (lambda message, world: Done(), "deleted"),
    "later": (lambda message, world: Later(5, "why"), "again"),
    "refuse": (lambda message, world: Refuse("code", "why"), "dead"),
    "passing": (_raise(PassingFault("x")), "again"),
    "throttled": (_raise(Throttled("x")), "again"),
    "denied": (_raise(Denied("x")), "again"),
    "bug": (_raise(ZeroDivisionError()), "again"),
}


@pytest.mark.parametrize(("stage", "end"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_each_outcome_has_one_end(stage: Any, end: str) -> None:
    """P2: deleted, tried again, or dead at once."""
    bench = Bench(stage)
    bench.mailbox.post(BODY)
    bench.run()
    ends: dict[str, Any] = {
        "deleted": bench.mailbox.deleted and not bench.mailbox.dead,
        "dead": bench.mailbox.dead,
    }
    ends["again"] = bench.mailbox.messages
    assert [name for name, holds in ends.items() if holds] == [end]
    assert bench.worker.heartbeat.holds() == ()


def test_a_sick_dependency_is_asked_less_and_less() -> None:
    """P3: exponential, with chance, from the receive count, capped at a quarter of an hour."""
    bench = Bench(_raise(PassingFault("down")))
    bench.mailbox.max_receives = 100
    bench.dice.value = 0.999
    bench.mailbox.post(BODY)
    waits = []
    for _ in range(12):
        bench.run()
        (message,) = bench.mailbox.messages.values()
        waits.append(message.visible_at - bench.clock.now().timestamp())
        bench.clock.advance(1000)
    assert waits == sorted(waits)
    assert waits[0] <= 5
    assert 890 <= waits[-1] <= 900


def test_while_a_dependency_is_down_messages_keep_their_receives() -> None:
    """P4: ten minutes of outage, two hundred messages: polling rests, nobody is buried, all works again."""
    down = True

    def stage(message: Any, world: World) -> Outcome:
        if down:
            raise Throttled("slow down")
        return Done()

    bench = Bench(stage)
    for _ in range(200):
        bench.mailbox.post(BODY)
    while bench.clock.seconds < 600:
        rest = bench.poll()
        bench.work()
        bench.flush()
        bench.pass_time(max(rest, 0.05))
    assert len(bench.mailbox.deliveries) < 40
    assert bench.mailbox.dead == []
    assert bench.metric("consumer_paused") == 1
    down = False
    while bench.mailbox.messages:
        rest = bench.poll()
        bench.work()
        bench.flush()
        bench.pass_time(max(rest, 0.05))
        assert bench.clock.seconds < 3600
    assert bench.mailbox.dead == []
    assert bench.metric("consumer_paused") == 0


def test_one_message_that_keeps_failing_holds_up_nobody() -> None:
    """P4: the circuit opens for what many meet, not for one."""
    bench = Bench(_raise(PassingFault("only this one")))
    bench.mailbox.max_receives = 100
    bench.mailbox.post(BODY)
    for _ in range(20):
        bench.run()
        bench.clock.advance(1000)
    assert not bench.worker.circuit.is_open


def test_what_follows_is_sent_to_its_queues_before_the_deletion() -> None:
    """DESIGN: the worker alone publishes, then deletes."""
    event = Event(name=EventName.BATCH_ACCEPTED, time="2026-01-05T10:00:00Z", detail={"cost": None})
    then = (PlanBatch(batch_id=BATCH_ID), SettleBatch(batch_id=BATCH_ID), event)
    bench = Bench(lambda message, world: Done((Ignored("a", "b"),), then))
    order: list[str] = []
    for mailbox in (bench.mailbox, *bench.others.values(), bench.events):
        mailbox.on_call = order.append
    bench.mailbox.post(BODY)
    bench.run()
    calls = [call.split()[0] for call in order if not call.endswith("done")]
    assert calls == ["mailbox.receive", "mailbox.send", "mailbox.send", "mailbox.send", "mailbox.delete"]
    assert len(bench.others[Queue.STATE].messages) == 1
    (sent,) = (json.loads(each.body) for each in bench.events.messages.values())
    assert sent["detail"] == {"cost": None}
    assert bench.facts == [Ignored("a", "b")]


def test_a_message_whose_followers_were_not_sent_comes_again() -> None:
    """lessons 11: nothing is told, nothing is deleted."""
    then = (SettleBatch(batch_id=BATCH_ID),)
    bench = Bench(lambda message, world: Done((Ignored("a", "b"),), then))
    bench.others[Queue.STATE].calls.fail_next("send", PassingFault("down"))
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.facts == []
    assert bench.mailbox.deleted == []
    bench.clock.advance(900)
    bench.run()
    assert bench.mailbox.deleted == ["m1"]


def test_followers_that_failed_within_an_answered_call_are_sent_again() -> None:
    """C5: only those, by code."""
    then = tuple(CleanupChunk(chunk_id=f"{BATCH_ID}-{n:03}") for n in range(5))
    bench = Bench(lambda message, world: Done(then=then))
    bench.others[Queue.CLEANUP].refuse_next("send", times=2)
    bench.mailbox.post(BODY)
    bench.run()
    assert len(bench.others[Queue.CLEANUP].messages) == 5
    assert [size for call, size in bench.others[Queue.CLEANUP].calls.log if call == "send"] == ["5", "2"]
    assert bench.outcomes() == {"success": 1}


def test_a_follower_that_can_never_be_sent_is_not_tried_again_at_once() -> None:
    """C5: SenderFault."""
    bench = Bench(lambda message, world: Done(then=(CleanupChunk(chunk_id=f"{BATCH_ID}-000"),)))
    bench.others[Queue.CLEANUP].refuse_next("send", "InvalidMessageContents", final=True)
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.others[Queue.CLEANUP].calls.count("send") == 1
    assert bench.outcomes() == {"retry": 1}


def test_deletions_that_failed_within_an_answered_call_are_repeated() -> None:
    """C5: counted, and only those."""
    bench = Bench()
    for _ in range(3):
        bench.mailbox.post(BODY)
    bench.mailbox.refuse_next("delete", times=2)
    bench.run()
    assert len(bench.mailbox.deleted) == 1
    bench.flush()
    assert len(bench.mailbox.deleted) == 3
    assert bench.metric("consumer_acks_total", result="failed") == 2


@contextmanager
def warnings_told() -> Iterator[list[MutableMapping[str, Any]]]:
    """Give what is logged within the block, for the tests beside are quiet."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        with capture_logs() as said:
            yield said
    finally:
        structlog.configure(wrapper_class=before)


def test_deletions_that_are_denied_are_told_at_once_and_once_until_they_work_again() -> None:
    """A denial would else be silent until all tries are used up."""
    bench = Bench()
    with warnings_told() as said:
        for _ in range(2):
            bench.mailbox.post(BODY)
            bench.mailbox.calls.fail_next("delete", Denied("no DeleteMessage"), times=3)
            bench.run()
            for _ in range(3):
                bench.flush()
    told = [each["why"] for each in said if each["event"] == "deletions_fail"]
    assert told == ["no DeleteMessage"] * 2
    assert len(bench.mailbox.deleted) == 2


def test_extensions_that_failed_within_an_answered_call_are_repeated_soon() -> None:
    """C5: the hold is not lost for it."""
    bench = Bench()
    bench.mailbox.post(BODY)
    bench.poll()
    bench.mailbox.refuse_next("extend")
    calm = bench.worker.heartbeat.pause()
    bench.worker.heartbeat.beat()
    assert bench.worker.heartbeat.pause() < calm / 2
    assert not bench.worker.heartbeat.holds()[0].lost


def test_seven_finished_messages_are_deleted_in_one_call() -> None:
    """S4: the buffer of deletions is emptied, not kept until it is full."""
    bench = Bench()
    for _ in range(7):
        bench.mailbox.post(BODY)
    bench.run()
    assert len(bench.mailbox.deleted) == 7
    assert bench.mailbox.calls.count("delete") == 1


def test_without_dead_letters_a_refused_message_is_left_to_the_queue() -> None:
    """DESIGN: where the reason does not fit or there is no DLQ, SQS's own redrive must take it."""
    bench = Bench(lambda message, world: Refuse("code", "why"))
    bench.mailbox.has_dlq = False
    bench.mailbox.post(BODY)
    bench.run()
    assert bench.mailbox.deleted == []
    assert bench.outcomes() == {"poison": 1}
    assert bench.mailbox.visible() == []


def test_leases_are_given_back_before_the_deletion() -> None:
    """Whoever comes next must not find the row held."""
    from tests.daemon.bench import holding

    bench = Bench(holding("c", lambda world: Done()))
    bench.mailbox.post(BODY)
    bench.poll()
    bench.work()
    assert bench.leases.held == {}
    assert bench.mailbox.deleted == []


def test_a_tick_is_handled_like_a_message_without_a_receipt() -> None:
    """The reconciler's own: leases are kept and given back, what follows is sent, SQS hears nothing."""
    from tests.daemon.bench import holding

    def long(world: World) -> Outcome:
        bench.pass_time(1000)
        world.checkpoint()
        return Done((Ignored("a", "b"),), (SettleBatch(batch_id=BATCH_ID),))

    bench = Bench(holding("c", long))
    bench.worker.run_tick(PlanBatch(batch_id=BATCH_ID))
    assert bench.facts == [Ignored("a", "b")]
    assert len(bench.others[Queue.STATE].messages) == 1
    assert bench.leases.held == {}
    assert bench.mailbox.calls.log == []
    assert bench.worker.heartbeat.holds() == ()


def test_a_tick_that_fails_leaves_nothing_behind() -> None:
    """The next tick comes anyway."""
    bench = Bench(_raise(PassingFault("down")))
    bench.worker.run_tick(PlanBatch(batch_id=BATCH_ID))
    assert bench.mailbox.calls.log == []
    assert bench.worker.heartbeat.holds() == ()
