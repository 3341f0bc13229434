"""What three real processes log while a batch goes its way: ids to follow it by, and nothing secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon import event_list
from deploy.local import processes
from tests.e2e.machine import CONSUMERS, QUEUES, Machine, machine

MARK = "M4RK"
KEY, SESSION = f"AKIA{MARK}", f"session-{MARK}"
LONG = 25  # characters; shorter texts of the model are words that anything may hold


def test_the_log_of_a_batch_names_its_ids_and_repeats_neither_secrets_nor_texts(tmp_path: Path) -> None:
    with machine(
        tmp_path,
        NOVABATCH_LOG_LEVEL="debug",
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=MARK,
        AWS_SESSION_TOKEN=SESSION,
    ) as running:
        refuse(running)
        files = [
            {**file, "context": {"notes": f"{MARK} {number}", MARK: "x"}}
            for number, file in enumerate(running.originals("logged", 4))
        ]
        batch_id = running.post("logged", files, metadata={"requested_by": MARK})
        running.wait_for_end([batch_id])
        assert processes.wait_until(running.is_clean, 60)
        answers = {text for line in running.results(batch_id) for text in texts(line["result"])}
    logged = [json.loads(line) for name in CONSUMERS for line in written(tmp_path, name)]
    assert {line["event"] for line in logged} <= event_list.EVENTS.keys() | fact_names()
    told = [json.dumps(line, ensure_ascii=False) for line in logged if line["level"] != "debug"]
    assert len(told) > 20
    assert len(answers) > 10
    assert not [line for line in told if MARK in line]
    assert not [line for line in told if any(answer in line for answer in answers)]
    follow(logged, batch_id)


def refuse(running: Machine) -> None:
    """Send a body that is no message, and one that nobody understands."""
    url = running.sqs.get_queue_url(QueueName=QUEUES["submit"])["QueueUrl"]
    for body in (f'{{"notes": "{MARK}"', json.dumps({"request_id": "odd", "files": {MARK: MARK}})):
        running.sqs.send_message(QueueUrl=url, MessageBody=body)


def follow(logged: list[dict[str, Any]], batch_id: str) -> None:
    """Look for the ids of the batch, its chunks, its jobs and its messages."""
    ended = [line for line in logged if line["event"] == "job_changed" and line["status"] == "Completed"]
    assert ended
    for line in ended:
        assert line["job_arn"].startswith("arn:aws:bedrock:")
        assert line["chunk_id"].startswith(f"{batch_id}-")
        assert line["message_id"] or line["type"] == "Reconcile"
    cleaned = [line for line in logged if line["event"] == "chunk_cleaned"]
    assert {line["batch_id"] for line in cleaned} == {batch_id}
    refused = [line for line in logged if line["event"] == "message_refused"]
    assert len(refused) == 2
    assert all(line["message_id"] for line in refused)


def written(directory: Path, name: str) -> list[str]:
    return (directory / "logs" / f"{name}.log").read_text().splitlines()


def fact_names() -> set[str]:
    return {kind.event for kind in event_list.facts()}


def texts(result: Any) -> Iterator[str]:
    """Find all longer texts of a result."""
    match result:
        case str() if len(result) >= LONG:
            yield result
        case dict():
            for value in result.values():
                yield from texts(value)
        case list():
            for value in result:
                yield from texts(value)
