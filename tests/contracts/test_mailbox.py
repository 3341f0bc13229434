"""The queue's port: the same behaviour from the fake and from SQS's API."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from consumers.core.faults import Denied, Missing, PassingFault, Throttled
from daemon.adapters.burying import Burial
from daemon.adapters.eventbridge import EventBus
from daemon.adapters.sqs import SqsMailbox, make_client, open_mailbox, open_outlet
from daemon.adapters.sqs_entries import fitting
from daemon.mailbox import Letter, Mailbox, Received
from deploy.local.stack import environment
from tests.aws import OWN_CONFIGURATION
from tests.contracts.local_aws import LocalAws
from tests.fakes.clock import FakeClock
from tests.fakes.mailbox import RETENTION, FakeMailbox
from tests.http_stub import Reply, Request, serve

NAME = "under-test"


@dataclass
class Subject:
    """A mailbox and the ways a test looks behind it."""

    mailbox: Mailbox
    dead: Callable[[], list[tuple[str, str, str]]]
    second: Callable[[], None]

    def receive(self, count: int = 10, visibility: int = 30) -> list[Received]:
        return list(self.mailbox.receive(count, 2, visibility))

    def one(self, visibility: int = 30) -> Received:
        (message,) = self.receive(1, visibility)
        return message


def product_clients(url: str, timeout: float = 10) -> tuple[Any, Any]:
    """Make the product's clients for calls and for polls, led to an endpoint by the environment."""
    with pytest.MonkeyPatch.context() as variables:
        variables.delenv("AWS_PROFILE", raising=False)
        for name, value in {**environment(url), **OWN_CONFIGURATION}.items():
            variables.setenv(name, value)
        return tuple(make_client(wait, 10, "us-east-1", timeout) for wait in (0, 20))  # type: ignore[return-value]


def real_mailbox(aws: LocalAws, max_receives: int = 10) -> SqsMailbox:
    dead = aws.sqs.create_queue(QueueName=f"{NAME}-dlq")["QueueUrl"]
    found = aws.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": max_receives}
    aws.sqs.create_queue(QueueName=NAME, Attributes={"RedrivePolicy": json.dumps(redrive)})
    return open_mailbox(*product_clients(aws.url), NAME)


@pytest.fixture
def real(emulator: LocalAws) -> Subject:
    mailbox = real_mailbox(emulator)

    def dead() -> list[tuple[str, str, str]]:
        answer = emulator.sqs.receive_message(
            QueueUrl=mailbox.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (m["Body"], *(m["MessageAttributes"][f"error_{x}"]["StringValue"] for x in ("code", "message")))
            for m in answer.get("Messages", [])
        ]

    return Subject(mailbox, dead, lambda: None)


@pytest.fixture(params=["fake", "sqs"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "sqs":
        yield request.getfixturevalue("real")
    else:
        clock = FakeClock()
        fake = FakeMailbox(clock)
        dead = lambda: [(each.body, each.code, each.why) for each in fake.dead]  # noqa: E731
        yield Subject(fake, dead, lambda: clock.advance(1.1))


def test_what_is_sent_is_received_and_deleted(subject: Subject) -> None:
    assert subject.mailbox.send(["one", "two"]) == {}
    messages = subject.receive()
    assert sorted(message.body for message in messages) == ["one", "two"]
    assert {message.receives for message in messages} == {1}
    assert all(0 < message.sent_at <= message.first_received_at for message in messages)
    assert subject.mailbox.delete([message.receipt for message in messages]) == {}
    depth = subject.mailbox.depths()["main"]
    assert (depth.visible, depth.in_flight) == (0, 0)


def test_a_received_message_is_hidden_and_counted(subject: Subject) -> None:
    subject.mailbox.send(["one", "two"])
    subject.receive(1)
    depth = subject.mailbox.depths()["main"]
    assert (depth.visible, depth.in_flight) == (1, 1)


def test_a_queue_tells_how_long_it_keeps_a_message(subject: Subject) -> None:
    assert subject.mailbox.depths()["main"].retention == RETENTION


def test_a_message_given_back_is_there_at_once_with_its_receives_counted(subject: Subject) -> None:
    subject.mailbox.send(["one"])
    first = subject.one()
    assert subject.mailbox.extend({first.receipt: 0}) == {}
    again = subject.one()
    assert (again.id, again.receives) == (first.id, 2)
    assert again.receipt != first.receipt
    assert again.first_received_at == pytest.approx(first.first_received_at, abs=0.1)


def test_a_hidden_message_stays_hidden_when_extended(subject: Subject) -> None:
    subject.mailbox.send(["one"])
    message = subject.one(visibility=1)
    assert subject.mailbox.extend({message.receipt: 60}) == {}
    subject.second()
    assert subject.receive() == []


def test_an_old_receipt_deletes_nothing_and_says_nothing(subject: Subject) -> None:
    subject.mailbox.send(["one"])
    first = subject.one()
    subject.mailbox.extend({first.receipt: 0})
    again = subject.one()
    assert subject.mailbox.delete([first.receipt]) == {}
    assert subject.mailbox.depths()["main"].in_flight == 1
    assert subject.mailbox.delete([again.receipt]) == {}
    assert subject.mailbox.depths()["main"].in_flight == 0


def test_an_old_receipt_extends_nothing_for_good(subject: Subject) -> None:
    subject.mailbox.send(["one"])
    first = subject.one()
    subject.mailbox.extend({first.receipt: 0})
    again = subject.one()
    refused = subject.mailbox.extend({first.receipt: 60, again.receipt: 60})
    assert list(refused) == [first.receipt]
    assert refused[first.receipt].final


def test_an_unknown_receipt_is_refused_for_good_and_the_others_are_deleted(subject: Subject) -> None:
    subject.mailbox.send(["one"])
    message = subject.one()
    refused = subject.mailbox.delete(["nonsense", message.receipt])
    assert {receipt: refusal.final for receipt, refusal in refused.items()} == {"nonsense": True}


def test_the_same_receipt_twice_is_no_fault(subject: Subject) -> None:
    """L9."""
    subject.mailbox.send(["one"])
    message = subject.one()
    assert subject.mailbox.delete([message.receipt, message.receipt]) == {}


def test_no_more_than_twelve_hours_in_total(subject: Subject) -> None:
    """L6."""
    subject.mailbox.send(["one"])
    message = subject.one()
    subject.second()
    refused = subject.mailbox.extend({message.receipt: 43_200})
    assert refused[message.receipt].final


def test_a_dead_letter_keeps_body_and_reason(subject: Subject) -> None:
    assert subject.mailbox.bury([Letter("the body", "bad_thing", "because")]) == [True]
    assert subject.dead() == [("the body", "bad_thing", "because")]


def test_an_empty_queue_gives_nothing(subject: Subject) -> None:
    assert list(subject.mailbox.receive(10, 1, 30)) == []


# ── only SQS ───────────────────────────────────────────────────────────────────────────────────


def test_thirty_messages_take_three_calls(real: Subject, emulator: LocalAws) -> None:
    before = emulator.control.calls()["sqs"].get("SendMessageBatch", {"total": 0})["total"]
    real.mailbox.send([f"message {n}" for n in range(30)])
    assert emulator.control.calls()["sqs"]["SendMessageBatch"]["total"] - before == 3


def test_large_bodies_are_spread_over_calls_of_one_mebibyte() -> None:
    sizes = [600_000, 600_000, 400_000, *[10] * 12]
    assert [len(run) for run in fitting(sizes)] == [1, 10, 4]


def test_characters_sqs_does_not_carry_are_written_as_json_does(real: Subject) -> None:
    assert real.mailbox.send(['{"x": "\ufffe ok"}']) == {}
    assert json.loads(real.one().body) == {"x": "\ufffe ok"}


@pytest.mark.parametrize(
    "why", ["a\x00b\ufffe", "ä" * 2000, "", "日本語"], ids=["odd", "long", "empty", "wide"]
)
def test_a_reason_is_made_fit_for_sqs(real: Subject, why: str) -> None:
    assert real.mailbox.bury([Letter("body", "code", why)]) == [True]
    ((_, _, told),) = real.dead()
    assert 0 < len(told.encode()) <= 1024


def test_a_body_that_fills_a_message_has_no_room_for_a_reason(emulator: LocalAws) -> None:
    """DESIGN: SQS's own redrive takes it."""
    mailbox = real_mailbox(emulator)
    body = "x" * 1_048_576
    letters = [Letter(body[:-100], "code", "w" * 500), Letter(body, "code", "why")]
    assert mailbox.bury(letters) == [True, False]


def test_letters_buried_together_share_calls_and_each_keeps_its_reason(
    real: Subject, emulator: LocalAws
) -> None:
    letters = [Letter("body" * n, f"code_{n}", f"because of {n}") for n in range(1, 13)]
    before = emulator.control.calls()["sqs"].get("SendMessageBatch", {"total": 0})["total"]
    assert real.mailbox.bury(letters) == [True] * 12
    assert emulator.control.calls()["sqs"]["SendMessageBatch"]["total"] - before == 2
    found = [letter for _ in range(3) for letter in real.dead()]
    assert sorted(found) == sorted(letters)


def test_a_letter_that_does_not_fit_is_buried_without_its_reason_and_holds_up_no_other(
    stubbed: tuple[SqsMailbox, Stubber],
) -> None:
    mailbox, stubber = stubbed
    burial = Burial(mailbox.client, "https://dead")
    refused = {"Id": "1", "Code": "InvalidParameterValue", "SenderFault": True}
    stubber.add_response("send_message_batch", {"Successful": [], "Failed": [refused]})
    stubber.add_client_error("send_message", "InvalidParameterValue", http_status_code=400)
    expected = {"QueueUrl": "https://dead", "MessageBody": "b", "MessageAttributes": ANY}
    stubber.add_response("send_message", {}, expected)
    assert burial.bury([Letter("a", "c", "w"), Letter("b", "c", "w")]) == [True, True]
    stubber.assert_no_pending_responses()


def test_letters_that_got_no_answer_together_are_sent_one_by_one(
    stubbed: tuple[SqsMailbox, Stubber],
) -> None:
    mailbox, stubber = stubbed
    burial = Burial(mailbox.client, "https://dead")
    stubber.add_client_error("send_message_batch", "BatchRequestTooLong", http_status_code=400)
    stubber.add_response("send_message", {})
    stubber.add_client_error("send_message", "RequestThrottled", http_status_code=400)
    first, second = burial.bury([Letter("a", "c", "w"), Letter("b", "c", "w")])
    assert first is True
    assert isinstance(second, Throttled)


def test_a_missing_queue_is_named(emulator: LocalAws) -> None:
    """K7."""
    clients = product_clients(emulator.url)
    with pytest.raises(Missing, match="no-such"):
        open_mailbox(*clients, "no-such")
    with pytest.raises(Missing, match="no-such"):
        open_outlet(clients[0], "no-such")
    with pytest.raises(Missing):
        open_mailbox(*clients, f"{emulator.url}/123456789012/no-such")


@pytest.fixture
def stubbed(emulator: LocalAws) -> Iterator[tuple[SqsMailbox, Stubber]]:
    client, poller = product_clients(emulator.url)
    with Stubber(client) as stubber:
        yield SqsMailbox(client, "https://queue", poller, "https://dead"), stubber


def test_entries_that_pass_or_wait_for_a_person_are_not_final(stubbed: tuple[SqsMailbox, Stubber]) -> None:
    """C5: SenderFault stands beside throttling too."""
    mailbox, stubber = stubbed
    failed = [
        {"Id": "0", "Code": "RequestThrottled", "SenderFault": True, "Message": "slow"},
        {"Id": "1", "Code": "InternalError", "SenderFault": False},
        {"Id": "2", "Code": "ReceiptHandleIsInvalid", "SenderFault": True},
        {"Id": "3", "Code": "KMS.DisabledException", "SenderFault": True},
        {"Id": "4", "Code": "KmsAccessDenied", "SenderFault": True},
    ]
    stubber.add_response("delete_message_batch", {"Successful": [], "Failed": failed})
    refused = mailbox.delete(["a", "b", "c", "d", "e"])
    assert [receipt for receipt, refusal in refused.items() if refusal.final] == ["c"]
    assert len(refused) == 5


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", Missing),
        ("RequestThrottled", Throttled),
        ("OverLimit", Throttled),
        ("ExpiredToken", PassingFault),
        # A person mends a key, as a permission.
        ("KMS.AccessDeniedException", Denied),
        ("KmsAccessDenied", Denied),
        ("KMS.DisabledException", Denied),
        ("KMS.ThrottlingException", Throttled),
        ("KmsThrottled", Throttled),
    ],
)
def test_errors_mean_what_they_mean(
    stubbed: tuple[SqsMailbox, Stubber], code: str, fault: type[Exception]
) -> None:
    mailbox, stubber = stubbed
    stubber.add_client_error("delete_message_batch", code, http_status_code=400)
    with pytest.raises(fault):
        mailbox.delete(["a"])


def test_an_older_queue_gets_its_messages_one_by_one(stubbed: tuple[SqsMailbox, Stubber]) -> None:
    """AWS: 256 KiB a call on older queues."""
    mailbox, stubber = stubbed
    stubber.add_client_error("send_message_batch", "BatchRequestTooLong", http_status_code=400)
    for _ in range(2):
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": []})
    assert mailbox.send(["one", "two"]) == {}
    stubber.assert_no_pending_responses()


def test_events_reach_a_bus(emulator: LocalAws) -> None:
    emulator.wire()
    body = {"source": "novabatch", "detail-type": "Batch Finished", "detail": {"cost": None}, "time": "…"}
    assert EventBus(emulator.events, "default").send([json.dumps(body)] * 11) == {}


def test_an_event_a_bus_refused_is_named_by_its_position(emulator: LocalAws) -> None:
    """C5."""
    import boto3

    client = boto3.client("events", region_name="us-east-1", endpoint_url=emulator.url)
    good, bad = {"EventId": "x"}, {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}
    body = json.dumps({"source": "novabatch", "detail-type": "Batch Finished", "detail": {}})
    with Stubber(client) as stubber:
        stubber.add_response("put_events", {"FailedEntryCount": 1, "Entries": [good, bad]})
        refused = EventBus(client, "bus").send([body, body])
    assert {position: refusal.final for position, refusal in refused.items()} == {1: False}


def test_a_call_that_is_never_answered_ends_by_itself_and_the_next_one_works() -> None:
    """K3: the read timeout is a little longer than the poll; the call is not repeated unseen."""
    hanging = threading.Event()
    waits = iter([20.0, 0.0])

    def answer(request: Request) -> Reply:
        hanging.wait(next(waits))
        return Reply(body=b'{"Messages": []}', headers={"Content-Type": "application/x-amz-json-1.0"})

    with serve(answer) as stub:
        client = product_clients(stub.url, timeout=0.3)[0]
        mailbox = SqsMailbox(client, f"{stub.url}/1/q", client)
        with pytest.raises(PassingFault, match=r"(?i)timed? ?out"):
            mailbox.receive(1, 0, 30)
        assert list(mailbox.receive(1, 0, 30)) == []
        hanging.set()
    assert len(stub.requests) == 2
