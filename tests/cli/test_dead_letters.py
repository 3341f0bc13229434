"""`dlq list` and `dlq redrive`."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.store import SqlStore
from deploy.local import stack
from deploy.local.processes import Server
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies, bury, depth, url_of
from tests.contracts.local_aws import until
from tests.contracts.planting import NOW, hold_chunk, plant

SUBMIT = ("--queue", "submit")
DEAD = f"{stack.SUBMIT_QUEUE}-dlq"


def test_listing_tells_why_and_takes_nothing_away(cloud: CommandLine, sqs: Any) -> None:
    id = bury(sqs, '{"type":"submit_batch"}')
    for look in range(2):
        document = cloud.document("dlq", "list")
        (message,) = document["messages"]
        assert document["total"] == 1
        assert message.pop("sent_at").endswith("Z")
        assert message.pop("receives") == look + 1
        assert message == {
            "queue": "submit",
            "message_id": id,
            "type": "submit_batch",
            "about": None,
            "error_code": "unknown_model",
            "error_message": "because of unknown_model",
            "reason_from": "attributes",
            "moved_by_sqs": False,
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


def test_letters_without_hope_do_not_go_round_for_ever(cloud: CommandLine, sqs: Any) -> None:
    for number in range(3):
        bury(sqs, f'{{"number":{number}}}')
    buried: list[str] = []
    over = threading.Event()

    def consume() -> None:
        while not over.is_set() and len(buried) < 30:
            found = bodies(sqs, stack.SUBMIT_QUEUE)
            buried.extend(bury(sqs, json.dumps(body, separators=(",", ":"))) for body in found)

    consumer = threading.Thread(target=consume)
    consumer.start()
    try:
        assert "sent back 3 messages" in cloud.ok("dlq", "redrive", *SUBMIT)
    finally:
        over.set()
        consumer.join()
    assert len(buried) <= 3


def test_redriving_takes_only_the_chosen(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, '{"number":1}', "forbidden_bucket")
    chosen = bury(sqs, '{"number":2}')
    cloud.ok("dlq", "redrive", "--id", chosen)
    assert bodies(sqs, stack.SUBMIT_QUEUE) == [{"number": 2}]
    assert cloud.document("dlq", "redrive", "--code", "forbidden_bucket")["total"] == 1
    assert cloud.document("dlq", "list")["total"] == 0


def test_a_dry_run_moves_nothing(cloud: CommandLine, sqs: Any) -> None:
    bury(sqs, '{"number":1}')
    assert "would send back 1 message" in cloud.ok("dlq", "redrive", "--dry-run")
    assert (depth(sqs, DEAD), depth(sqs, stack.SUBMIT_QUEUE)) == (1, 0)


def moved(sqs: Any, body: str, queue: str = stack.SUBMIT_QUEUE) -> None:
    """Put a message among the dead letters as SQS does: without a reason."""
    sqs.send_message(QueueUrl=url_of(sqs, f"{queue}-dlq"), MessageBody=body)


def listed(cloud: CommandLine) -> dict[str, Any]:
    (message,) = cloud.document("dlq", "list", *SUBMIT)["messages"]
    return dict(message)


def test_a_letter_without_a_reason_tells_what_its_chunk_noted(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    (chunk,) = plant(sqlite_store)
    sqlite_store.failed(hold_chunk(sqlite_store, chunk), "prepare", "AccessDenied: s3:GetObject", NOW)
    moved(sqs, json.dumps({"type": "submit_chunk", "chunk_id": chunk}))
    message = listed(cloud)
    told = (message["about"], message["error_message"], message["reason_from"], message["moved_by_sqs"])
    assert told == (chunk, "AccessDenied: s3:GetObject", "store", True)
    said = " ".join(cloud.ok("dlq", "list").split())
    assert f"submit_chunk of {chunk} moved by SQS" in said
    assert "AccessDenied: s3:GetObject" in said


def test_a_letter_that_left_no_room_for_its_reason_is_judged_again(cloud: CommandLine, sqs: Any) -> None:
    moved(sqs, '{"type": "submit_batch", "fils": []}')
    message = listed(cloud)
    assert (message["error_code"], message["reason_from"]) == ("invalid_message", "body")
    assert 'Unknown field "fils"' in message["error_message"]


def test_a_letter_of_which_nobody_knows_why_points_to_the_log(
    cloud: CommandLine, sqs: Any, tmp_path: Path
) -> None:
    moved(sqs, '{"type": "plan_batch", "batch_id": "b00000000000000000000"}')
    assert listed(cloud)["reason_from"] is None
    cloud.settings["NOVABATCH_DATABASE_URL"] = f"sqlite:///{tmp_path / 'none' / 'there.db'}"
    assert listed(cloud)["reason_from"] is None
    assert not (tmp_path / "none").exists()
    assert "the log of its consumer tells why" in " ".join(cloud.ok("dlq", "list").split())


def test_letters_are_chosen_by_type_and_by_a_reason_that_was_found_out(cloud: CommandLine, sqs: Any) -> None:
    moved(sqs, '{"type": "submit_chunk", "chunk_id": "c"}')
    moved(sqs, '{"type": "plan_batch", "batch_id": "b00000000000000000000"}')
    bury(sqs, '{"type": "submit_batch"}', "forbidden_bucket")
    for filters, types in (
        (["--type", "plan_batch"], ["plan_batch"]),
        (["--type", "plan_batch", "--type", "submit_batch"], ["plan_batch", "submit_batch"]),
        (["--code", "invalid_message"], ["submit_chunk"]),
        (["--code", "forbidden_bucket", "--type", "plan_batch"], []),
        (["--limit", "2"], [None, None]),
    ):
        found = cloud.document("dlq", "redrive", "--dry-run", *SUBMIT, *filters)["messages"]
        assert len(found) == len(types)
        assert None in types or sorted(each["type"] for each in found) == types
    assert depth(sqs, stack.SUBMIT_QUEUE) == 0
    assert cloud.document("dlq", "redrive", *SUBMIT, "--limit", "2")["total"] == 2
    assert (depth(sqs, DEAD), depth(sqs, stack.SUBMIT_QUEUE)) == (1, 2)


def test_more_letters_than_a_page_are_all_found_and_all_put_back(cloud: CommandLine, sqs: Any) -> None:
    for number in range(23):
        bury(sqs, json.dumps({"number": number}), f"code-{number % 2}")
    assert cloud.document("dlq", "redrive", *SUBMIT, "--code", "code-1")["total"] == 11
    assert cloud.document("dlq", "list", *SUBMIT)["total"] == 12
    assert (depth(sqs, DEAD), depth(sqs, stack.SUBMIT_QUEUE)) == (12, 11)


def test_a_redrive_that_fails_half_way_says_how_far_it_came_and_loses_nothing(
    cloud: CommandLine, fresh_aws: Server, sqs: Any
) -> None:
    for number in range(15):
        bury(sqs, json.dumps({"number": number}))
    fresh_aws.control.add_faults(calls=[{"operation": "SendMessageBatch", "code": "AccessDenied", "skip": 1}])
    said = cloud.refused("dlq", "redrive", *SUBMIT)
    assert "10 messages had been sent back by then" in said
    assert "run it again" in said
    fresh_aws.control.clear_faults()
    fresh_aws.control.return_messages(DEAD)
    assert cloud.document("dlq", "redrive", *SUBMIT)["total"] == 5
    assert depth(sqs, stack.SUBMIT_QUEUE) == 15


@pytest.mark.parametrize(
    ("operation", "hold"),
    [("SendMessageBatch", "before"), ("SendMessageBatch", "after"), ("DeleteMessageBatch", "after")],
)
def test_a_redrive_that_is_killed_loses_no_message(
    cloud: CommandLine, fresh_aws: Server, sqs: Any, operation: str, hold: str
) -> None:
    for number in range(12):
        bury(sqs, json.dumps({"number": number}))
    control = fresh_aws.control
    control.add_faults(calls=[{"operation": operation, "hold": hold, "skip": 1}])
    words = [sys.executable, "-m", "daemon", "dlq", "redrive", *SUBMIT]
    with subprocess.Popen(words, env=dict(cloud.environment), stderr=subprocess.DEVNULL) as child:
        until(lambda: control.faults()["calls"][0]["held"], 30)
        child.kill()
    control.clear_faults()
    control.return_messages(DEAD)
    cloud.ok("dlq", "redrive", *SUBMIT)
    assert {body["number"] for body in every_body(sqs, stack.SUBMIT_QUEUE)} == set(range(12))


def every_body(sqs: Any, queue: str) -> Iterator[dict[str, Any]]:
    while found := bodies(sqs, queue):
        yield from found


def test_a_letter_that_is_not_there_is_named_and_leaves_no_entry_in_the_audit(
    cloud: CommandLine, sqs: Any
) -> None:
    bury(sqs, '{"number":1}')
    said = cloud.refused("dlq", "redrive", "--id", "gone")
    assert "not among the dead letters: gone. `novabatch dlq list`" in said
    assert [each for each in cloud.document("audit")["entries"] if each["verb"] == "redrive"] == []
    told = cloud.run("dlq", "redrive", "--id", "gone", "--json")
    assert (told.exit_code, json.loads(told.stdout)["not_found"]) == (1, ["gone"])
