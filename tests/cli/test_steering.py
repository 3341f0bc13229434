"""`pause` and `resume` beside the pause a model gives itself."""

from typing import Any

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies
from tests.contracts.planting import NOW, end_job, hold_chunk, plant, submit


def fail(store: SqlStore, chunk_id: str) -> None:
    submit(store, chunk_id)
    end_job(store, chunk_id)
    held = hold_chunk(store, chunk_id)
    store.end_chunk(held, ChunkState.FAILED, "AccessDenied: the role may not read the bucket", NOW)
    store.release(held)


def test_a_model_that_paused_itself_is_resumed_by_the_command_in_the_status(
    cloud: CommandLine, sqlite_store: SqlStore, sqs: Any
) -> None:
    *failing, waiting = plant(sqlite_store, chunks=4)
    for chunk_id in failing:
        fail(sqlite_store, chunk_id)
    said = cloud.ok("status", "r")
    assert "PAUSED submit for amazon.nova-2-lite-v1:0" in said
    assert "AccessDenied" in said
    assert bodies(sqs, stack.SUBMIT_QUEUE) == []
    command = said.partition("goes on with `novabatch ")[2].partition("`")[0]
    assert "woke 1 chunks" in cloud.ok(*command.split())
    assert [body["chunk_id"] for body in bodies(sqs, stack.SUBMIT_QUEUE)] == [waiting]
    assert "PAUSED" not in cloud.ok("status", "r")


def test_the_name_of_the_slots_stands_for_each_model_that_shares_them(
    cloud: CommandLine, sqlite_store: SqlStore
) -> None:
    cloud.ok("pause", "submit", "--model", "amazon.nova-2-lite-v1:0")
    assert "PAUSED" in cloud.ok("status")
    assert "resumed" in cloud.ok("resume", "submit", "--model", "global-nova-2-lite")
