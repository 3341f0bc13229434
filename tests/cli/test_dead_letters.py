"""`dlq list` and `dlq redrive`."""

from typing import Any

from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies, bury, depth

DEAD = f"{stack.SUBMIT_QUEUE}-dlq"


def test_listing_tells_why_and_takes_nothing_away(cloud: CommandLine, sqs: Any) -> None:
    id = bury(sqs, '{"type":"submit_batch"}')
    for _ in range(2):
        document = cloud.document("dlq", "list")
        (message,) = document["messages"]
        assert document["total"] == 1
        assert message.pop("sent_at").endswith("Z")
        assert message == {
            "queue": "submit",
            "message_id": id,
            "type": "submit_batch",
            "error_code": "unknown_model",
            "error_message": "because of unknown_model",
            "body": '{"type":"submit_batch"}',
        }
    assert depth(sqs, DEAD) == 1
    assert "because of unknown_model" in " ".join(cloud.ok("dlq", "list").split())


def test_a_body_that_is_no_json_is_listed_too(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, "not json", "invalid_json")
    assert cloud.document("dlq", "list", "--queue", "submit")["messages"][0]["type"] is None
    assert cloud.document("dlq", "list", "--queue", "cleanup") == {"total": 0, "messages": []}


def test_redriving_sends_all_back(cloud: CommandLine, sqs: Any) -> None:
    for number in range(12):
        bury(sqs, f'{{"number":{number}}}')
    assert "sent back 12 messages" in cloud.ok("dlq", "redrive")
    assert depth(sqs, DEAD) == 0
    assert depth(sqs, stack.SUBMIT_QUEUE) == 12


def test_redriving_takes_only_the_chosen(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, '{"number":1}', "forbidden_bucket")
    chosen = bury(sqs, '{"number":2}')
    cloud.ok("dlq", "redrive", "--id", chosen)
    assert bodies(sqs, stack.SUBMIT_QUEUE) == [{"number": 2}]
    assert cloud.document("dlq", "redrive", "--code", "forbidden_bucket")["total"] == 1
    assert cloud.document("dlq", "list")["total"] == 0


def test_a_dry_run_moves_nothing(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, '{"number":1}')
    assert "would send back 1 messages" in cloud.ok("dlq", "redrive", "--dry-run")
    assert (depth(sqs, DEAD), depth(sqs, stack.SUBMIT_QUEUE)) == (1, 0)


def test_a_letter_that_is_not_there_is_named(cloud: CommandLine) -> None:
    done = cloud.run("dlq", "redrive", "--id", "gone")
    assert done.exit_code == 1
    assert "not among the dead letters: gone" in done.stderr
