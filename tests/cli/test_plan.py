"""`plan`: the whole document, what it needs, what it leaves alone, and what it refuses."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consumers.core import layout
from consumers.core.cost import cost, on_demand_cost
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import metadata
from deploy.local import stack
from schemas.models import BUILT_IN
from tests.cli.command_line import CommandLine
from tests.cli.queues import depth

KNOWN = {"size_bytes": 7_000_000, "context": {"duration_seconds": 61}}
FILES: list[dict[str, Any]] = [
    {"file_id": 1, "s3_key": "proxy_video/Video, 1.mov", **KNOWN},
    {"file_id": "b", "s3_key": "proxy_video/plain.mp4", **KNOWN},
    {"file_id": "notes", "s3_key": "proxy_video/notes.txt", **KNOWN},
]
REQUEST: dict[str, Any] = {
    "request_id": "catalog",
    "model": "nova-2-lite",
    "options": {"reuse": "never"},
    "files": FILES,
}


def body(**other: Any) -> str:
    return json.dumps({name: value for name, value in {**REQUEST, **other}.items() if value is not None})


def planned(cli: CommandLine, **other: Any) -> Any:
    return json.loads(cli.ok("plan", "-", "--json", stdin=body(**other)))


@pytest.fixture
def alone(tmp_path: Path) -> CommandLine:
    """The command line of somebody who has neither a database nor AWS, nor a bucket."""
    nowhere = f"sqlite:///{tmp_path / 'none' / 'novabatch.db'}"
    settings = {"NOVABATCH_DATABASE_URL": nowhere, "NOVABATCH_BUCKET": "", "NOVABATCH_ROLE_ARN": ""}
    return CommandLine(tmp_path, settings={**settings, "AWS_REGION": "", "AWS_DEFAULT_REGION": ""})


def test_the_document_has_every_field_in_its_order(alone: CommandLine) -> None:
    document = planned(alone)
    assert list(document) == [
        "chunks",
        "refused",
        "reused",
        "tokens",
        "cost_usd",
        "cost_on_demand_usd",
        "assumed",
    ]
    [chunk] = document["chunks"]
    assert list(chunk) == ["index", "folder", "bytes", "records", "padding", "files"]
    folder = chunk.pop("folder")
    assert layout.input_prefix(folder).endswith("_000/")
    names = {1: ("Video_1.mov", True), "b": ("plain.mp4", False)}
    assert chunk == {
        "index": 0,
        "bytes": 14_000_000,
        "records": 2,
        "padding": 98,
        "files": [
            {
                "file_id": file["file_id"],
                "s3_key": file["s3_key"],
                "safe_name": names[file["file_id"]][0],
                "renamed": names[file["file_id"]][1],
                "size_bytes": 7_000_000,
            }
            for file in FILES[:2]
        ],
    }
    [refused] = document["refused"]
    assert list(refused) == ["file_id", "s3_key", "reason"]
    assert (refused["file_id"], refused["s3_key"]) == ("notes", "proxy_video/notes.txt")
    assert refused["reason"].startswith("format: ")
    assert (document["reused"], document["assumed"]) == (0, [])


def test_money_is_told_at_both_rates(alone: CommandLine) -> None:
    document = planned(alone)
    [model] = (model for model in BUILT_IN if "nova-2-lite" in model.aliases)
    price = model.prices[-1]
    tokens = document["tokens"]["input"], document["tokens"]["output"]
    assert tokens[0] > 2 * 61 * 288
    assert Decimal(document["cost_usd"]) == cost(model, *tokens, price.since)
    on_demand = on_demand_cost(model, *tokens, price.since)
    assert on_demand is not None
    assert on_demand / 2 < Decimal(document["cost_on_demand_usd"]) < on_demand


def test_neither_aws_nor_a_database_is_needed_where_nothing_is_left_open(
    alone: CommandLine, tmp_path: Path
) -> None:
    assert len(planned(alone)["chunks"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_looked_for_are_assumed_not_to_be_there(
    alone: CommandLine, tmp_path: Path
) -> None:
    [assumed] = planned(alone, options=None)["assumed"]
    assert assumed.startswith("reuse: ")
    assert str(tmp_path / "none") in assumed
    assert list(tmp_path.iterdir()) == []


def test_a_size_nobody_knows_cannot_be_done_without(alone: CommandLine) -> None:
    unknown = [{"file_id": 1, "s3_key": "a.mov"}]
    assert "NOVABATCH_BUCKET is not set" in alone.refused("plan", "-", "--json", stdin=body(files=unknown))


def rows(store: SqlStore) -> Any:
    with store.database.read() as connection:
        return {table.name: connection.execute(select(table)).all() for table in metadata.sorted_tables}


def objects(s3: Any) -> Any:
    listed = s3.list_objects_v2(Bucket=stack.BUCKET).get("Contents", ())
    return [(each["Key"], each["ETag"], each["LastModified"]) for each in listed]


def test_a_plan_changes_nothing(cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any) -> None:
    for name in ("a.mov", "b c.mov"):
        s3.put_object(Bucket=stack.BUCKET, Key=f"videos/{name}", Body=b"media")
    request = body(files=None, files_from={"prefix": "videos/"}, options=None)
    before = rows(sqlite_store), objects(s3)
    document = json.loads(cloud.ok("plan", "-", "--json", stdin=request))
    said = cloud.ok("plan", "-", stdin=request)
    assert (rows(sqlite_store), objects(s3)) == before
    assert [file["safe_name"] for file in document["chunks"][0]["files"]] == ["a.mov", "b_c.mov"]
    assert "b_c.mov" in said
    queues = (stack.SUBMIT_QUEUE, stack.STATE_QUEUE, stack.CLEANUP_QUEUE, stack.EVENTS_QUEUE)
    assert [depth(sqs, queue) for queue in queues] == [0, 0, 0, 0]


def test_a_source_that_is_not_there_leaves_nothing_on_stdout(cloud: CommandLine) -> None:
    request = body(files=None, files_from={"list": f"s3://{stack.BUCKET}/lists/none.jsonl"})
    assert "lists/none.jsonl" in cloud.refused("plan", "-", "--json", stdin=request)


def test_people_read_what_it_comes_to(alone: CommandLine) -> None:
    said = alone.ok("plan", "-", stdin=body())
    lines = said.splitlines()
    assert max(map(len, lines)) <= 110
    assert "files     3, of them refused 1" in lines
    assert "records   2, and 98 of padding; reused 0" in lines
    assert "time      about 20 min: 1 jobs, 20 at a time" in lines
    assert "Video_1.mov" in said
    assert "no extension" in said or "use one of" in said


def test_without_a_price_the_cost_is_unknown_and_never_nought(alone: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "models.json"
    table.write_text(json.dumps({"models": [{"id": "x.model", "max_output_tokens": 4096}]}))
    alone.settings["NOVABATCH_MODELS_FILE"] = str(table)
    document = planned(alone, model="x.model")
    assert (document["cost_usd"], document["cost_on_demand_usd"]) == (None, None)
    assert "cost      at most unknown USD" in alone.ok("plan", "-", stdin=body(model="x.model"))


def test_a_batch_over_its_budget_is_shown_and_refused(alone: CommandLine) -> None:
    result = alone.run("plan", "-", "--json", stdin=body(budget_usd="0.01"))
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["chunks"]) == 1
    assert result.stderr.startswith("Error: budget_exceeded: ")
    planned(alone, budget_usd="100")


@pytest.mark.parametrize(
    ("share", "said"),
    [
        ("1", None),
        ("0.9", "the batch takes 2 days"),
        ("0.1", "USD allows on any day"),
    ],
)
def test_what_the_budget_of_a_day_does_is_told(alone: CommandLine, share: str, said: str | None) -> None:
    alone.settings["NOVABATCH_MAX_FILES_PER_CHUNK"] = "1"
    budget = Decimal(planned(alone)["cost_usd"]) * Decimal(share)
    alone.settings["NOVABATCH_BUDGET_USD_PER_DAY"] = str(budget)
    text = alone.ok("plan", "-", stdin=body())
    assert said in text if said else "BUDGET" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "invalid_json"),
        (body(model="nova-9"), "unknown_model"),
        (body(fils=[]), 'Unknown field "fils"'),
        ('{"type": "cancel_batch", "request_id": "catalog"}', "plans nothing"),
    ],
)
def test_what_would_be_refused_is_refused_here(alone: CommandLine, text: str, said: str) -> None:
    assert said in alone.refused("plan", "-", stdin=text)


def test_wrong_usage_is_told_apart(alone: CommandLine) -> None:
    assert "No such file" in alone.refused("plan", "nowhere.json", code=2)
    assert "Missing argument" in alone.refused("plan", code=2)
