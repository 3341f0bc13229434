"""`show` and `results`."""

import json
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import update

from consumers.core import layout
from consumers.core.gate import Room
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Refusal
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks, files, jobs, records
from schemas.outcomes import Outcome
from tests.cli.command_line import CommandLine
from tests.contracts.planting import (
    NOW,
    arn,
    completed,
    end_job,
    hold_batch,
    hold_chunk,
    judged,
    new_batch,
    new_file,
    plant,
    submit,
)

BATCH = layout.batch_id("r")
COST = Decimal("0.000001")
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
    store.save(held, [judged(0, result=RESULT, input_tokens=10, output_tokens=5, cost_usd=COST)], NOW)
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


def test_a_file_s_history_goes_from_its_copy_through_its_job_to_what_each_attempt_cost(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    chunk = answered(sqlite_store)
    plant(sqlite_store, "again")
    document = cli.document("show", "1000")
    (old,) = [each for each in document["batches"] if each["request_id"] == "r"]
    (copy,) = old["copies"]
    found = (copy["chunk_id"], copy["safe_name"], copy["refused"], copy["job_arn"], copy["job_status"])
    assert found == (chunk, "0.mov", False, arn(chunk), "Completed")
    assert (document["tokens"], document["cost_usd"]) == ({"input": 10, "output": 5}, "0.000001")
    said = cli.ok("show", "1000")
    for part in (
        BATCH,
        chunk,
        arn(chunk),
        "copied as 0.mov",
        "s3://media/proxy/0.mov",
        "10 tokens in, 5 out",
    ):
        assert part in said
    assert "2 batches, 2 attempts" in said


def test_a_file_that_was_never_analysed_tells_why(cli: CommandLine, sqlite_store: SqlStore) -> None:
    answered(sqlite_store)
    (batch,) = cli.document("show", "1001")["batches"]
    assert (batch["code"], batch["attempts"], batch["copies"][0]["refused"]) == ("changed", [], True)
    said = cli.ok("show", "1001")
    assert "REFUSED   changed: it has another ETag now" in said
    assert "refused at its copy to 1.mov" in said


def test_long_words_of_others_are_broken_into_lines_of_80_columns(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    chunk = answered(sqlite_store)
    why = "this is what somebody said at length " * 6
    with sqlite_store.database.write() as connection:
        connection.execute(update(files).where(files.c.position == 1).values(reason=why))
        connection.execute(update(jobs).values(message=why))
        connection.execute(update(chunks).values(reason=why))
    for name in ("1001", chunk):
        said = cli.ok("show", name)
        assert why.strip() in " ".join(said.split())
        assert [line for line in said.splitlines() if len(line) > 80 and " " in line.strip()] == []


def test_a_cost_that_is_not_known_makes_the_sum_unknown(cli: CommandLine, sqlite_store: SqlStore) -> None:
    chunk = completed(sqlite_store)
    held = hold_chunk(sqlite_store, chunk)
    sqlite_store.save(held, [judged(0, input_tokens=1, output_tokens=1)], NOW)
    assert cli.document("show", "1000")["cost_usd"] is None
    assert "unknown USD" in cli.ok("show", "1000")


def placed(store: SqlStore, request_id: str, bucket: str, file_id: int) -> None:
    """Plan a batch of the one object proxy/0.mov."""
    batch = new_batch(request_id)
    assert store.accept(batch)
    held = hold_batch(store, batch.batch_id)
    store.plan_files(held, [replace(new_file(0, file_id=file_id), bucket=bucket)], {})
    store.release(held)


def test_an_object_is_found_by_its_key_and_by_its_uri(cli: CommandLine, sqlite_store: SqlStore) -> None:
    placed(sqlite_store, "here", "media", 1)
    placed(sqlite_store, "there", "others", 2)
    document = cli.document("show", "proxy/0.mov")
    assert set(document["objects"]) == {"s3://media/proxy/0.mov", "s3://others/proxy/0.mov"}
    assert "stands for 2 objects" in cli.ok("show", "proxy/0.mov")
    for uri in document["objects"]:
        alone = cli.document("show", uri)
        assert alone["objects"] == [uri]
        assert len(alone["batches"]) == 1
    assert "no batch, chunk or file" in cli.refused("show", "s3://nowhere/proxy/0.mov")


def test_a_name_of_a_batch_and_a_file_is_told_to_be_both(cli: CommandLine, sqlite_store: SqlStore) -> None:
    plant(sqlite_store, "1000")
    done = cli.run("show", "1000", "--json")
    assert json.loads(done.stdout)["kind"] == "batch"
    assert "is also a file: `--kind file` shows it" in done.stderr
    assert cli.document("show", "1000", "--kind", "file")["kind"] == "file"
    assert "'1000' is no chunk here" in cli.refused("show", "1000", "--kind", "chunk")


def test_no_name_of_a_sender_steers_the_terminal(cli: CommandLine, sqlite_store: SqlStore) -> None:
    chunk = answered(sqlite_store)
    with sqlite_store.database.write() as connection:
        connection.execute(update(files).values(s3_key="a\x1b[2Jb\nc"))
    for name in ("1000", "1001", chunk):
        said = cli.ok("show", name)
        assert "\x1b" not in said
        assert "a\\x1b[2Jb" in said


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
        assert "file-1000:combined, try 1, said: Sorry, [31m I see no pool. Really." in shown
        assert f"… ({len(said)} characters: see --json)" in shown
    assert "3 parts missing" in cli.ok("show", "1001")


def test_show_says_when_nothing_has_that_name(cli: CommandLine) -> None:
    assert "'x' is no batch, chunk or file here" in cli.refused("show", "x")
