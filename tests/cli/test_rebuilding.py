"""`reconcile --rebuild`: batches of a lost database come back, and what was paused stays so."""

import json
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.plan import Plan, plan_lines
from consumers.core.rows import NewChunk, NewFile
from daemon.adapters.store import SqlStore
from daemon.cli import rebuilding
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies
from tests.contracts.planting import MODEL, NOW, plant
from tests.databases import delete_rows


@pytest.fixture
def lost(sqlite_store: SqlStore, s3: Any) -> str:
    """A batch of two chunks that only its plan in S3 tells of; returns its id."""
    [chunk_id, _] = plant(sqlite_store, chunks=2)
    batch_id = chunk_id.partition("-")[0]
    batch = sqlite_store.batch(batch_id)
    assert batch is not None
    stored = sqlite_store.chunk_plans(batch_id, 0), sqlite_store.planned_files(batch_id)
    entries: list[NewChunk | NewFile] = [*stored[0], *stored[1]]
    request = json.dumps({"request_id": "r", "model": MODEL, "bucket": stack.BUCKET, "files": []})
    lines = b"".join(plan_lines(request, Plan(batch, 0, "novabatch", "media"), entries))
    s3.put_object(Bucket=stack.BUCKET, Key=layout.plan_key(batch_id), Body=lines)
    with sqlite_store.engine.begin() as connection:
        delete_rows(connection)
    return batch_id


def test_a_lost_batch_is_there_again_and_its_chunks_are_woken(
    cloud: CommandLine, lost: str, sqs: Any
) -> None:
    document = cloud.document("reconcile", "--rebuild")
    assert (document["batches"], document["chunks"], document["problems"]) == ({"PLANNED": 1}, 2, [])
    told = cloud.document("status", "r")
    assert (told["batch_id"], told["files"]["total"], len(told["chunks"])) == (lost, 4, 2)
    assert len(bodies(sqs, stack.SUBMIT_QUEUE)) == 2
    assert "PAUSED" not in cloud.ok("status")
    assert "1 PLANNED" in cloud.ok("reconcile", "--rebuild")


def test_what_an_operator_paused_stays_paused(cloud: CommandLine, lost: str, sqs: Any) -> None:
    cloud.ok("pause", "submit", "--reason", "the archive moves")
    cloud.ok("reconcile", "--rebuild")
    assert "the archive moves" in cloud.ok("status")
    assert bodies(sqs, stack.SUBMIT_QUEUE) == []


def test_a_run_that_was_cut_short_holds_submissions_until_it_is_done_again(
    cloud: CommandLine, lost: str, sqlite_store: SqlStore
) -> None:
    sqlite_store.hold_submissions(rebuilding.REASON, NOW)
    assert "reconcile --rebuild" in cloud.ok("status")
    cloud.ok("reconcile", "--rebuild")
    assert "PAUSED" not in cloud.ok("status")


def test_a_batch_that_cannot_be_restored_is_told_and_the_others_come_back(
    cloud: CommandLine, lost: str, s3: Any
) -> None:
    broken = layout.batch_id("broken")
    s3.put_object(Bucket=stack.BUCKET, Key=layout.plan_key(broken), Body=b"{}\n")
    result = cloud.run("reconcile", "--rebuild")
    assert result.exit_code == 1
    assert f"{broken}: line 1" in result.stderr
    assert "1 PLANNED" in result.stdout


def test_an_empty_bucket_gives_an_empty_store(cloud: CommandLine) -> None:
    assert "batches: none" in cloud.ok("reconcile", "--rebuild")
