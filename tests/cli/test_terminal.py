"""What a person sees on a terminal of 80 columns: bars with rate and time left, and tables that fit."""

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.store import SqlStore
from daemon.cli.progress import left, rate
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bury
from tests.cli.terminal import COLUMNS, on_terminal
from tests.cli.test_sending import REQUEST, finish
from tests.contracts.local_aws import until
from tests.contracts.planting import NOW, completed, end_job, hold_chunk, plant, submit


def ended(store: SqlStore, request_id: str) -> str:
    (chunk,) = plant(store, request_id)
    submit(store, chunk)
    end_job(store, chunk)
    store.end_chunk(hold_chunk(store, chunk), ChunkState.COMPLETED, "", NOW)
    return finish(store, request_id, BatchState.COMPLETED)


def test_waiting_shows_a_bar_on_a_terminal(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    ended(sqlite_store, "w")
    request = json.dumps({**REQUEST, "request_id": "w"})
    code, seen = on_terminal(cloud.environment, "send", "-", "--wait", stdin=request)
    assert code == 0
    last = [line for line in re.split(r"[\r\n]+", seen) if line.strip()][-1]
    assert re.search(r"COMPLETED  chunks 1/1 ━+ 2/2", last)
    assert len(last) <= COLUMNS


def test_whoever_stops_waiting_is_told_that_the_batch_goes_on(
    cloud: CommandLine, sqlite_store: SqlStore
) -> None:
    plant(sqlite_store, "w")
    words = [sys.executable, "-m", "daemon", "send", "-", "--wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, env=dict(cloud.environment), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps({**REQUEST, "request_id": "w"}))
        child.stdin.close()
        assert child.stdout.readline() == "w\n"
        assert child.stdout.readline(), "it waits now"
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        said = child.stderr.read()
    assert child.returncode == 130
    assert f"goes on: see `novabatch status {layout.batch_id('w')}`" in said
    assert "Traceback" not in said


def test_a_redrive_counts_what_it_sends_back(cloud: CommandLine, sqs: Any) -> None:
    for number in range(3):
        bury(sqs, json.dumps({"number": number}))
    code, seen = on_terminal(cloud.environment, "dlq", "redrive", "--queue", "submit")
    assert code == 0
    assert re.search(r"sending back ━+ 3/3", seen)
    assert "sent back 3 messages" in seen


def test_a_document_stays_one_document_on_a_terminal_too(cloud: CommandLine, s3: Any) -> None:
    """The bar goes to stderr; here both are the same terminal, so the document is looked for in between."""
    code, seen = on_terminal(cloud.environment, "storage", "--json")
    assert code == 0
    assert json.loads(seen[seen.index("{") : seen.rindex("}") + 1])["originals"] == {"objects": 0, "bytes": 0}


WIDE = ("status", "pending", "doctor", "storage", "audit", "dlq list --queue submit", "cleanup --dry-run")


@pytest.mark.parametrize("words", [*WIDE, "status BATCH", "show BATCH", "show CHUNK", "show 1000", "plan -"])
def test_no_line_is_wider_than_the_terminal(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any, s3: Any, words: str
) -> None:
    long = "a-request-with-a-rather-long-name-" + "x" * 60
    (chunk,) = plant(sqlite_store, long)
    submit(sqlite_store, chunk)
    sqlite_store.failed(hold_chunk(sqlite_store, chunk), "fetch", "something long " * 20, NOW)
    bury(
        sqs, json.dumps({"type": "submit_batch", "request_id": long}), "because_of_something_with_a_long_name"
    )
    completed(sqlite_store, "done")
    s3.put_object(Bucket=stack.BUCKET, Key=f"nova_batch/{'long' * 30}/a.mov", Body=b"0")
    names = {"BATCH": layout.batch_id(long), "CHUNK": chunk}
    request = {
        **REQUEST,
        "files": [{"file_id": "x" * 64, "s3_key": f"{'long name ' * 20}.mov", "size_bytes": 9}],
    }
    typed = [names.get(word, word) for word in words.split()]
    _, seen = on_terminal(
        cloud.environment, *typed, stdin=json.dumps({**request, "options": {"reuse": "never"}})
    )
    assert len(seen.splitlines()) > 1
    if words == "status":
        assert re.search(rf"^(\S*\r)*{layout.batch_id(long)} ", seen, re.MULTILINE), (
            "a name that can be copied"
        )
    wide = [line for line in seen.splitlines() if len(line) > COLUMNS]
    told = [line for line in wide if len(line.split()) > 2 and "s3://" not in line]
    assert not told, "only a name may be wider, after its label: it is there to be copied"


@pytest.mark.parametrize(("speed", "said"), [(0.0, ""), (250.0, "250/s"), (0.5, "30/min"), (0.005, "18/h")])
def test_a_rate_is_told_in_the_unit_that_can_be_read(speed: float, said: str) -> None:
    assert rate(speed) == said


def test_the_time_left_is_told_once_it_is_known() -> None:
    assert (left(None, 1), left(0, 1), left(7, 0), left(7_400, 2)) == ("", "", "", "1h1m left")


@pytest.mark.parametrize(
    ("words", "look"),
    [
        ("reparse {} --wait", "the reparse of batch {} goes on: see `novabatch show {}`"),
        ("forget 1000 --yes", "the forgetting goes on: `novabatch forget 1000 --dry-run`"),
        ("cleanup {} --yes", "the cleaning goes on: `novabatch cleanup --dry-run`"),
    ],
)
def test_whoever_stops_waiting_is_told_what_goes_on_and_how_to_look_at_it(
    cloud: CommandLine, sqlite_store: SqlStore, words: str, look: str
) -> None:
    ended(sqlite_store, "w")
    batch_id = layout.batch_id("w")
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:
        until(lambda: signal.getsignal(signal.SIGINT) is not before, 30)
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as person:
        pressed = person.submit(press)
        done = cloud.run(*words.replace("{}", batch_id).split())
        pressed.result()
    assert done.exit_code == 130
    assert f"stopped waiting; {look.replace('{}', batch_id)}" in done.stderr
    assert "Aborted" not in done.stderr
