"""`show` and `results`."""

import json

from sqlalchemy import update

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Refusal
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import records
from schemas.outcomes import Outcome
from tests.cli.command_line import CommandLine
from tests.contracts.planting import NOW, end_job, hold_chunk, judged, plant, submit

BATCH = layout.batch_id("r")
RESULT = '{"summary":{"text":"A pool is dug."},"chapters":[],"elements":{}}'
ABOUT_THE_FILE = ("schema_version", "batch_id", "request_id", "file_id", "bucket", "s3_key", "etag")
ABOUT_THE_ANSWER = ("analysis_type", "outcome", "result", "error", "record_id", "attempt", "repaired")
ABOUT_ITS_ORIGIN = ("reused_from", "stop_reason", "model_id", "prompt_version")
ABOUT_ITS_PRICE = ("input_tokens", "output_tokens", "cost_usd", "created_at")
FIELDS = [*ABOUT_THE_FILE, *ABOUT_THE_ANSWER, *ABOUT_ITS_ORIGIN, *ABOUT_ITS_PRICE]


def answered(store: SqlStore) -> str:
    """Put a batch into the store whose first file succeeded and whose second was refused at copying."""
    (chunk,) = plant(store)
    held = hold_chunk(store, chunk)
    store.open_staging(held, Room(20, 20), NOW)
    store.refuse_files(held, [Refusal(1, "changed", "it has another ETag now")])
    store.release(held)
    submit(store, chunk)
    end_job(store, chunk)
    held = hold_chunk(store, chunk)
    store.save(held, [judged(0, result=RESULT, input_tokens=10, output_tokens=5)], NOW)
    store.end_chunk(held, ChunkState.COMPLETED, "", NOW)
    store.release(held)
    return chunk


def test_results_are_json_lines_with_every_field(cli: CommandLine, sqlite_store: SqlStore) -> None:
    answered(sqlite_store)
    lines = [json.loads(line) for line in cli.ok("results", "r").splitlines()]
    assert all(list(line) == FIELDS for line in lines)
    parts = ["summary", "chapters", "elements", "waterfall_classification", "search_metadata"]
    assert [line["analysis_type"] for line in lines] == [*parts, None]
    assert lines[0]["result"] == {"text": "A pool is dug."}
    assert [line["input_tokens"] for line in lines] == [10, None, None, None, None, None]
    assert (lines[-1]["outcome"], lines[-1]["error"]["code"]) == ("REFUSED", "changed")


def test_show_tells_a_batch_with_its_refused_files(cli: CommandLine, sqlite_store: SqlStore) -> None:
    answered(sqlite_store)
    document = cli.document("show", "r")
    assert (document["kind"], document["batch_id"]) == ("batch", BATCH)
    assert [each["code"] for each in document["refused_files"]] == ["changed"]
    assert "it has another ETag now" in " ".join(cli.ok("show", BATCH).split())


def test_show_tells_a_chunk_with_its_copies_and_attempts(cli: CommandLine, sqlite_store: SqlStore) -> None:
    chunk = answered(sqlite_store)
    document = cli.document("show", chunk)
    assert (document["kind"], document["chunk_id"]) == ("chunk", chunk)
    assert [(each["safe_name"], each["refused"]) for each in document["placed"]] == [
        ("0.mov", False),
        ("1.mov", True),
    ]
    assert [each["outcome"] for each in document["attempts"]] == ["SUCCEEDED"]
    assert "file-1000:combined" in cli.ok("show", chunk)


def test_show_tells_a_file_in_every_batch_that_named_it(cli: CommandLine, sqlite_store: SqlStore) -> None:
    answered(sqlite_store)
    plant(sqlite_store, "again")
    document = cli.document("show", "1000")
    assert (document["kind"], document["file_id"]) == ("file", 1000)
    assert {each["request_id"] for each in document["batches"]} == {"r", "again"}
    outcomes = {attempt["outcome"] for each in document["batches"] for attempt in each["attempts"]}
    assert outcomes == {Outcome.SUCCEEDED, None}
    assert "waiting" in cli.ok("show", "1000")


def test_show_gives_what_the_model_said_where_it_is_no_result(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    (chunk,) = plant(sqlite_store)
    submit(sqlite_store, chunk)
    end_job(sqlite_store, chunk)
    said = "Sorry,\x1b[31m I see\nno pool. " + "Really. " * 100
    held = hold_chunk(sqlite_store, chunk)
    bad = judged(0, Outcome.UNPARSABLE, result=None, raw_text=said, error_code="NOT_JSON")
    sqlite_store.save(held, [bad, judged(1, result=RESULT)], NOW)
    with sqlite_store.database.write() as connection:
        connection.execute(update(records).where(records.c.position == 1).values(missing=3))
    for name, index in ((chunk, None), ("1000", 0)):
        document = cli.document("show", name)
        first, *others = (document if index is None else document["batches"][index])["attempts"]
        assert (first["raw_text"], first["missing"]) == (said, None)
        assert [(each["raw_text"], each["missing"]) for each in others] == [(None, 3)] * len(others)
        shown = cli.ok("show", name)
        assert "file-1000:combined, try 1, said: Sorry, [31m I see no pool. Really. Really." in shown
        assert f"… ({len(said)} characters: see --json)" in shown
    assert "SUCCEEDED (3 parts" in cli.ok("show", "1001")


def test_show_says_when_nothing_has_that_name(cli: CommandLine) -> None:
    assert "'x' is no batch, chunk or file_id here" in cli.refused("show", "x")
