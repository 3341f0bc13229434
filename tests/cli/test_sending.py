"""`send`, `cancel`, `retry`, `pause`, `resume`, `reconcile`: what they post and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.lifecycle import BatchState, ChunkState
from daemon.adapters.store import SqlStore
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies
from tests.contracts.planting import (
    MODEL,
    NOW,
    changes_of,
    end_job,
    hold_batch,
    hold_chunk,
    new_batch,
    new_chunk,
    new_file,
    plant,
    stage,
    submit,
)

REQUEST = {"model": "nova-2-lite", "files": [{"file_id": 1, "s3_key": "a.mp4"}]}


def finish(store: SqlStore, request_id: str, state: BatchState, reason: str = "") -> str:
    batch_id = layout.batch_id(request_id)
    held = hold_batch(store, batch_id)
    store.finish_batch(held, changes_of(store, held.id), state, reason, NOW)
    store.release(held)
    return batch_id


def test_a_request_from_a_file_arrives_as_it_was_written(
    cloud: CommandLine, sqs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({**REQUEST, "request_id": "catalog-ü"}))
    assert cloud.ok("send", str(path)) == "catalog-ü\n"
    (body,) = bodies(sqs, stack.SUBMIT_QUEUE)
    assert (body["type"], body["request_id"], body["model"]) == ("submit_batch", "catalog-ü", "nova-2-lite")
    assert body["files"][0] == {"file_id": 1, "s3_key": "a.mp4", "context": {}}


def test_a_request_without_an_id_gets_one_that_is_printed(cloud: CommandLine, sqs: Any) -> None:
    printed = cloud.ok("send", "-", stdin=json.dumps(REQUEST)).strip()
    assert bodies(sqs, stack.SUBMIT_QUEUE)[0]["request_id"] == printed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "invalid_json: The body is not JSON"),
        ('{"model": "nova-2-lite", "fils": []}', 'Unknown field "fils"'),
        ('{"model": "nova-2-lite", "model": "nova-pro", "files": []}', 'Field "model" stands twice'),
        (json.dumps({**REQUEST, "model": "nova-9"}), "unknown_model"),
        (json.dumps({**REQUEST, "bucket": "others"}), "forbidden_bucket"),
        (json.dumps({**REQUEST, "analysis_types": ["plot"]}), "unknown_analysis_type"),
        (json.dumps({**REQUEST, "type": "submit_all"}), "unknown_type"),
    ],
)
def test_what_the_consumer_would_refuse_is_refused_before_it_is_sent(
    cli: CommandLine, text: str, said: str
) -> None:
    error = cli.refused("send", "-", stdin=text)
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_file_that_is_not_there_is_wrong_usage(cli: CommandLine) -> None:
    assert "No such file" in cli.refused("send", "nowhere.json", code=2)


@pytest.mark.parametrize(
    ("state", "code"),
    [(BatchState.COMPLETED_WITH_ERRORS, 0), (BatchState.FAILED, 1), (BatchState.CANCELLED, 1)],
)
def test_waiting_ends_with_the_batch(
    cloud: CommandLine, sqlite_store: SqlStore, state: BatchState, code: int
) -> None:
    (chunk,) = plant(sqlite_store, "w")
    submit(sqlite_store, chunk)
    end_job(sqlite_store, chunk)
    sqlite_store.end_chunk(hold_chunk(sqlite_store, chunk), ChunkState.COMPLETED, "", NOW)
    finish(sqlite_store, "w", state, "so it was")
    done = cloud.run("send", "-", "--wait", stdin=json.dumps({**REQUEST, "request_id": "w"}))
    assert done.exit_code == code
    assert done.stdout.splitlines() == ["w", f"{state}  chunks 1/1  records 2/2"]
    assert ("so it was" in done.stderr) == bool(code)


def test_cancel_is_posted_for_a_batch_that_runs(cloud: CommandLine, sqlite_store: SqlStore, sqs: Any) -> None:
    plant(sqlite_store)
    assert "sent cancel_batch" in cloud.ok("cancel", "r")
    (body,) = bodies(sqs, stack.SUBMIT_QUEUE)
    assert (body["type"], body["batch_id"]) == ("cancel_batch", layout.batch_id("r"))


def test_a_batch_that_has_ended_is_not_cancelled(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store)
    finish(sqlite_store, "r", BatchState.FAILED)
    assert "has ended as FAILED" in cli.refused("cancel", "r")


def test_retry_is_posted_for_a_batch_that_failed(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    plant(sqlite_store)
    batch_id = finish(sqlite_store, "r", BatchState.FAILED)
    assert "sent retry_batch" in cloud.ok("retry", batch_id)
    (body,) = bodies(sqs, stack.SUBMIT_QUEUE)
    assert body == {"version": 1, "type": "retry_batch", "batch_id": batch_id, "revision": 1}


def cut_short(store: SqlStore, request_id: str, chunks: int) -> str:
    """Cancel a batch before all of its files had a chunk."""
    batch = new_batch(request_id)
    assert store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [new_file(n) for n in range(3)], {})
    store.plan_chunks(held, [new_chunk(batch, n, [n]) for n in range(chunks)], {"cut_short": True})
    store.cancel(batch.batch_id, "on request", NOW)
    store.finish_plan(held, NOW)
    store.release(held)
    return finish(store, request_id, BatchState.CANCELLED)


def test_a_retry_that_can_send_nothing_is_refused_with_what_to_do(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    batch_id = cut_short(sqlite_store, "early", 0)
    said = cli.refused("retry", "early")
    assert f"batch {batch_id} has nothing to send again" in said
    assert "Post the request again under a new request_id" in said


def test_a_retry_tells_of_the_files_it_leaves_out(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    batch_id = cut_short(sqlite_store, "half", 2)
    done = cloud.run("retry", "half")
    assert done.exit_code == 0
    assert f"sent retry_batch for {batch_id}" in done.stdout
    assert "note: Files without a chunk are not sent" in done.stderr
    assert len(bodies(sqs, stack.SUBMIT_QUEUE)) == 1


def test_a_batch_that_runs_is_not_retried(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store)
    sqlite_store.start_batch(layout.batch_id("r"))
    assert "is RUNNING" in cli.refused("retry", "r")


def test_a_batch_in_which_all_succeeded_has_nothing_to_retry(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    plant(sqlite_store)
    finish(sqlite_store, "r", BatchState.COMPLETED)
    assert "nothing was sent" in cli.ok("retry", "r")


def test_pause_holds_chunks_back_and_resume_wakes_them(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    (chunk,) = plant(sqlite_store)
    stage(sqlite_store, chunk)
    cloud.ok("pause", "submit", "--model", "nova-2-lite", "--reason", "holiday")
    assert "holiday" in cloud.ok("status")
    assert not sqlite_store.next_up(MODEL, Room(20, 20), NOW)
    assert "woke 1 chunks" in cloud.ok("resume", "submit", "--model", MODEL)
    assert bodies(sqs, stack.SUBMIT_QUEUE) == [{"version": 1, "type": "submit_chunk", "chunk_id": chunk}]
    assert "was not paused" in cloud.ok("resume", "submit", "--model", MODEL)


def test_a_model_nobody_knows_cannot_be_paused(cli: CommandLine) -> None:
    assert "not in the model table" in cli.refused("pause", "submit", "--model", "nova-9")


def test_reconcile_sends_what_is_missing_and_counts_it(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk)
    end_job(sqlite_store, chunk)
    assert cloud.document("reconcile") == {"sent": {"not_ingested": 1}, "findings": []}
    assert bodies(sqs, stack.STATE_QUEUE)[0]["chunk_id"] == chunk
    assert "not_ingested: sent 1" in cloud.ok("reconcile")


def test_reconcile_leaves_a_pass_to_whoever_makes_it(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    from consumers.core.rows import Leased

    assert sqlite_store.take(Leased.RECONCILER, "reconcile", 60)
    assert "another process makes a pass" in cloud.refused("reconcile")
