"""`status` and `pending`: every field of their documents, and what people read."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState, ChunkState
from consumers.core.rows import Spent
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.cli.command_line import CommandLine
from tests.contracts.planting import (
    MODEL,
    NOW,
    after,
    arn,
    changes_of,
    end_job,
    hold_batch,
    hold_chunk,
    job_name,
    judged,
    plant,
    submit,
)

BATCH = layout.batch_id("r")
BOUGHT: dict[str, Any] = {"input_tokens": 1000, "output_tokens": 100, "cost_usd": Decimal("0.0003025")}


@pytest.fixture
def ended(sqlite_store: SqlStore) -> str:
    """A batch of two files: one record succeeded, one was filtered; padding cost something, too."""
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk)
    end_job(sqlite_store, chunk, after(minutes=30))
    held = hold_chunk(sqlite_store, chunk)
    free = {"input_tokens": 0, "output_tokens": 0, "cost_usd": Decimal(0)}
    withheld = judged(1, Outcome.FILTERED, error_code="FILTERED", error_message="why", **free)
    records = [judged(0, **BOUGHT), withheld]
    sqlite_store.save(held, records, after(minutes=31))
    sqlite_store.save_padding(held, Spent(2000, 10, Decimal("0.00034375")))
    sqlite_store.end_chunk(held, ChunkState.COMPLETED, "", after(minutes=32))
    sqlite_store.cleaned(held, 5, 3000, after(minutes=33))
    sqlite_store.release(held)
    batch = hold_batch(sqlite_store, BATCH)
    sqlite_store.finish_batch(
        batch,
        changes_of(sqlite_store, batch.id),
        BatchState.COMPLETED_WITH_ERRORS,
        "1 FILTERED",
        after(minutes=32),
    )
    sqlite_store.release(batch)
    return chunk


def test_status_of_a_batch_has_every_field(cli: CommandLine, ended: str) -> None:
    document = cli.document("status", BATCH)
    (chunk,) = document.pop("chunks")
    assert document == {
        "batch_id": BATCH,
        "request_id": "r",
        "state": "COMPLETED_WITH_ERRORS",
        "reason": "1 FILTERED",
        "revision": 1,
        "model": MODEL,
        "files": {"total": 2, "refused": 0},
        "records": {
            "total": 2,
            "reused": 0,
            "SUCCEEDED": 1,
            "TRUNCATED": 0,
            "UNPARSABLE": 0,
            "FILTERED": 1,
            "MODEL_ERROR": 0,
            "MISSING": 0,
            "NOT_BOUGHT": 0,
            "CANCELLED": 0,
        },
        "tokens": {"input": 3000, "output": 110},
        "cost_usd": "0.00064625",
        "cost_padding_usd": "0.00034375",
        "cost_superseded_usd": "0",
        "cost_on_demand_usd": "0.000605",
        "created_at": "2026-01-05T10:00:00Z",
        "finished_at": "2026-01-05T10:32:00Z",
        "budget_usd": None,
        "committed_usd": "0.00064625",
        "estimate_usd": None,
        "stopped": None,
        "canary": None,
    }
    assert chunk == {
        "chunk_id": ended,
        "index": 0,
        "state": "COMPLETED",
        "attempt": 1,
        "job_arn": arn(ended),
        "job_name": job_name(ended),
        "folder": layout.folder_name(NOW, BATCH, 0),
        "files": 2,
        "bytes": 2000,
        "records": 2,
        "padding": 0,
        "submitted_at": "2026-01-05T10:00:00Z",
        "last_checked_at": "2026-01-05T10:30:00Z",
        "ended_at": "2026-01-05T10:30:00Z",
        "results_fetched_at": "2026-01-05T10:32:00Z",
        "fetch_attempts": 1,
        "cleaned_at": "2026-01-05T10:33:00Z",
        "last_error": None,
    }


def test_a_batch_answers_to_its_request_id(cli: CommandLine, ended: str) -> None:
    assert cli.document("status", "r") == cli.document("status", BATCH)


def test_a_bill_tells_what_was_paid_for_and_what_was_saved(cli: CommandLine, ended: str) -> None:
    said = cli.ok("status", "r").splitlines()
    assert "cost      0.00064625 USD: files 0.0003025, padding 0.00034375, retries 0" in said
    assert "on demand 0.000605 USD for the same records, without padding: saved -0.00004125" in said


def test_what_is_not_known_yet_is_null(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store)
    document = cli.document("status", "r")
    unknown = ("job_arn", "job_name", "submitted_at", "last_checked_at", "ended_at", "cleaned_at")
    assert [document["chunks"][0][name] for name in unknown] == [None] * 6
    assert (document["reason"], document["finished_at"]) == (None, None)
    assert (document["cost_usd"], document["tokens"]) == ("0", {"input": 0, "output": 0})


def test_an_answer_without_a_price_makes_the_bill_unknown(cli: CommandLine, sqlite_store: SqlStore) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk)
    end_job(sqlite_store, chunk)
    held = hold_chunk(sqlite_store, chunk)
    sqlite_store.save(held, [judged(0, input_tokens=7, output_tokens=1)], NOW)
    document = cli.document("status", "r")
    assert (document["cost_usd"], document["cost_on_demand_usd"]) == (None, None)
    assert document["tokens"] == {"input": 7, "output": 1}
    said = cli.ok("status", "r").splitlines()
    assert "cost      unknown USD: files unknown, padding 0, retries 0" in said
    assert "on demand unknown USD for the same records, without padding: saved unknown" in said


def test_status_of_all_has_the_newest_first_and_the_last_errors(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    for number in range(12):
        (chunk,) = plant(sqlite_store, f"r{number}", at=after(hours=number))
        held = hold_chunk(sqlite_store, chunk)
        sqlite_store.failed(held, "prepare", f"trouble {number}", after(hours=number))
    document = cli.document("status")
    assert [batch["request_id"] for batch in document["batches"]][:2] == ["r11", "r10"]
    assert len(document["batches"]) == 12
    assert set(document["batches"][0]) == set(cli.document("status", "r0")) - {"chunks"}
    assert len(document["last_errors"]) == 10
    newest = layout.chunk_id(layout.batch_id("r11"), 0)
    assert document["last_errors"][0] == {
        "time": "2026-01-05T21:00:00Z",
        "chunk_id": newest,
        "message": "trouble 11",
    }


def test_an_empty_store_has_a_status(cli: CommandLine) -> None:
    assert cli.document("status") == {"batches": [], "last_errors": []}
    assert "No batch yet" in cli.ok("status")


def test_an_unknown_batch_is_named(cli: CommandLine) -> None:
    for words in (("status", "nope"), ("status", "nope", "--json"), ("results", "nope"), ("retry", "nope")):
        assert cli.refused(*words) == (
            "Error: batch 'nope' is not in the store: `novabatch status` lists them.\n"
        )


def test_the_status_of_a_failed_batch_is_no_failure_of_the_verb(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    plant(sqlite_store)
    held = hold_batch(sqlite_store, BATCH)
    sqlite_store.finish_batch(held, changes_of(sqlite_store, held.id), BatchState.FAILED, "2 MISSING", NOW)
    assert "FAILED (2 MISSING)" in cli.ok("status", "r")


def test_tables_fit_eighty_columns(cli: CommandLine, ended: str, sqlite_store: SqlStore) -> None:
    (chunk,) = plant(sqlite_store, "a-request-with-a-rather-long-name-" + "x" * 60)
    submit(sqlite_store, chunk)
    sqlite_store.failed(hold_chunk(sqlite_store, chunk), "fetch", "something long " * 20, NOW)
    for words in (["status"], ["pending"]):
        lines: list[str] = cli.ok(*words).splitlines()
        assert max(map(len, lines)) <= 80, max(lines, key=len)


def test_status_can_be_read_while_another_writes(
    cli: CommandLine, ended: str, sqlite_store: SqlStore
) -> None:
    with sqlite_store.database.write():
        assert cli.document("status", "r")["state"] == "COMPLETED_WITH_ERRORS"


def test_a_paused_model_stands_in_the_status_with_the_command_that_lets_it_go_on(
    cloud: CommandLine, sqlite_store: SqlStore
) -> None:
    sqlite_store.pause(MODEL, "three chunks failed", NOW)
    sqlite_store.pause("*", "holiday", NOW)
    said = cloud.ok("status")
    assert "three chunks failed" in said
    for command in reversed(re.findall("goes on with `novabatch (.*)`", said)):
        assert "resumed" in cloud.ok(*command.split())
    assert "PAUSED" not in cloud.ok("status")


def test_a_batch_tells_its_estimate_and_what_of_its_budget_is_committed(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    first, _ = plant(sqlite_store, chunks=2, costs=[Decimal("0.3"), Decimal("0.4")], budget=Decimal(1))
    submit(sqlite_store, first)
    document = cli.document("status", "r")
    money = [document[name] for name in ("budget_usd", "committed_usd", "estimate_usd")]
    assert money == ["1", "0.3", "0.7"]
    assert "estimate  at most 0.7 USD, committed 0.3 of a budget of 1" in cli.ok("status", "r").splitlines()


def test_what_holds_a_batch_back_is_told_with_the_way_on(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store, chunks=3, canary=1)
    assert cli.document("status", "r")["canary"] == 1
    assert "the others wait until the first 1 chunks" in cli.ok("status", "r")
    sqlite_store.stop_buying(BATCH, "the price is unknown: add it", NOW)
    assert cli.document("status", "r")["stopped"] == "the price is unknown: add it"
    assert "stopped   the price is unknown: add it" in cli.ok("status", "r").splitlines()


def test_what_of_the_budget_of_a_day_is_committed_is_told(cli: CommandLine, sqlite_store: SqlStore) -> None:
    assert "BUDGET_USD_PER_DAY" not in cli.ok("status")
    cli.settings["NOVABATCH_BUDGET_USD_PER_DAY"] = "50"
    assert "0 of 50 USD are committed today" in cli.ok("status")
    (chunk,) = plant(sqlite_store, costs=[Decimal("12.5")])
    submit(sqlite_store, chunk, datetime.now(UTC))
    assert "12.5 of 50 USD are committed today" in cli.ok("status")
