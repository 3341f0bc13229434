"""`reparse`: what it posts, what it waits for, and what is told of it afterwards."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import Result

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from consumers.core.rows import Reparse
from daemon.adapters.store import SqlStore
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies, url_of
from tests.contracts.planting import NOW, after, changes_of, hold_batch, plant

BATCH = layout.batch_id("r")


@pytest.fixture
def ended(sqlite_store: SqlStore) -> str:
    [chunk_id] = plant(sqlite_store)
    held = hold_batch(sqlite_store, BATCH)
    sqlite_store.finish_batch(held, changes_of(sqlite_store, BATCH), BatchState.COMPLETED, "", NOW)
    sqlite_store.release(held)
    return chunk_id


def carry_out(store: SqlStore, chunk_id: str, changed: int, left: int = 0) -> None:
    """Do what the consumer would."""
    held = hold_batch(store, BATCH)
    store.begin_reparse(held)
    why = tuple(f"chunk {n}: its raw lines are gone" for n in range(left))
    store.pass_chunk(held, chunk_id, 2, why)
    done = Reparse(None, 2, changed, left, why, after(hours=1))
    assert store.end_reparse(held, changes_of(store, BATCH), BatchState.COMPLETED, "", done, after(hours=1))
    store.release(held)


def while_waiting(cloud: CommandLine, sqs: Any, act: Callable[[], None]) -> Result:
    """Run `reparse --wait`, and act once its message is there."""
    url = url_of(sqs, stack.STATE_QUEUE)

    def consume() -> None:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
        assert json.loads(answer["Messages"][0]["Body"])["type"] == "reparse_batch"
        act()

    with ThreadPoolExecutor(1) as consumer:
        done = consumer.submit(consume)
        result = cloud.run("reparse", "r", "--wait")
        done.result()
    return result


def test_reparse_is_posted_for_a_batch_that_has_ended(cloud: CommandLine, ended: str, sqs: Any) -> None:
    assert f"sent reparse_batch for {BATCH}" in cloud.ok("reparse", "r")
    assert bodies(sqs, stack.STATE_QUEUE) == [{"version": 1, "type": "reparse_batch", "batch_id": BATCH}]


def test_a_batch_that_runs_is_not_reparsed(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store)
    assert f"batch {BATCH} is PLANNED: reparse it when it has ended" in cli.refused("reparse", "r")
    assert "'x' is not in the store" in cli.refused("reparse", "x")


def test_reparse_waits_for_the_new_revision(
    cloud: CommandLine, ended: str, sqs: Any, sqlite_store: SqlStore
) -> None:
    result = while_waiting(cloud, sqs, lambda: carry_out(sqlite_store, ended, changed=1))
    assert result.exit_code == 0
    assert "reparsed  1 of 2 records came to something else: revision 2" in result.stdout.splitlines()


def test_reparse_says_when_nothing_changed_and_what_was_left(
    cloud: CommandLine, ended: str, sqs: Any, sqlite_store: SqlStore
) -> None:
    result = while_waiting(cloud, sqs, lambda: carry_out(sqlite_store, ended, changed=0, left=22))
    said = result.stdout.splitlines()
    assert result.exit_code == 0
    assert "reparsed  nothing changed in 2 records: revision 1 stays" in said
    assert "          left as it is: chunk 0: its raw lines are gone" in said
    assert "          and 2 more" in said


def test_a_reparse_that_keeps_failing_ends_the_wait_with_its_reason(
    cloud: CommandLine, ended: str, sqs: Any, sqlite_store: SqlStore
) -> None:
    def fail() -> None:
        held = hold_batch(sqlite_store, BATCH)
        sqlite_store.begin_reparse(held)
        for _ in range(5):
            sqlite_store.failed(held, "reparse", "the type left the registry", NOW)

    result = while_waiting(cloud, sqs, fail)
    assert (result.exit_code, "keeps failing: the type left the registry" in result.stderr) == (1, True)
    assert "failed 5 times, the last time: the type left the registry" in result.stdout


def test_show_tells_the_last_reparse_of_a_batch(cli: CommandLine, ended: str, sqlite_store: SqlStore) -> None:
    assert cli.document("show", "r")["reparse"] is None
    carry_out(sqlite_store, ended, changed=1, left=1)
    assert cli.document("show", "r")["reparse"] == {
        "revision": 2,
        "chunks": 1,
        "through": 1,
        "records": 2,
        "changed": 1,
        "left": 1,
        "why_left": ["chunk 0: its raw lines are gone"],
        "failures": 0,
        "last_error": None,
        "ended_at": "2026-01-05T11:00:00Z",
    }
    assert "reparsed  1 of 2 records came to something else: revision 2" in cli.ok("show", "r").splitlines()
