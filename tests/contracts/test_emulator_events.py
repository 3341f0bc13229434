import json
from typing import Any

from deploy.local import stack
from tests.contracts.local_aws import LocalAws

pytest_plugins = ("tests.contracts.local_aws_fixtures",)


def publish(emulator: LocalAws, number: int = 1) -> None:
    entry = {"Source": "novabatch", "DetailType": "Batch Finished", "Detail": json.dumps({"number": number})}
    assert emulator.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def add_rule(emulator: LocalAws, **target: Any) -> None:
    emulator.wire()
    emulator.events.put_rule(Name="out", EventPattern=json.dumps({"source": ["novabatch"]}))
    arn = f"arn:aws:sqs:{stack.REGION}:{stack.ACCOUNT}:{stack.EVENTS_QUEUE}"
    emulator.events.put_targets(Rule="out", Targets=[{"Id": "out", "Arn": arn, **target}])


def test_an_event_arrives_whole_with_account_and_iso_time(emulator: LocalAws) -> None:
    add_rule(emulator)
    publish(emulator)
    body = json.loads(emulator.receive(stack.EVENTS_QUEUE)[0]["Body"])
    assert set(body) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert (body["account"], body["detail"]) == (stack.ACCOUNT, {"number": 1})
    assert body["time"].endswith("Z")


def test_a_disabled_rule_delivers_nothing_until_it_is_enabled(emulator: LocalAws) -> None:
    add_rule(emulator)
    emulator.events.disable_rule(Name="out")
    publish(emulator, 1)
    emulator.events.enable_rule(Name="out")
    publish(emulator, 2)
    bodies = [json.loads(each["Body"])["detail"]["number"] for each in emulator.receive(stack.EVENTS_QUEUE)]
    assert bodies == [2]


def test_an_input_transformer_still_works(emulator: LocalAws) -> None:
    transformer = {"InputPathsMap": {"n": "$.detail.number"}, "InputTemplate": '{"only": <n>}'}
    add_rule(emulator, InputTransformer=transformer)
    publish(emulator, 7)
    assert json.loads(emulator.receive(stack.EVENTS_QUEUE)[0]["Body"]) == {"only": 7}


def test_an_event_for_a_queue_that_is_gone_is_dropped(emulator: LocalAws) -> None:
    add_rule(emulator)
    emulator.sqs.delete_queue(QueueUrl=emulator.queue(stack.EVENTS_QUEUE))
    publish(emulator)
