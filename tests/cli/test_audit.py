"""`audit`, and what the verbs of a person leave in it."""

import getpass
import socket
from pathlib import Path

import pytest

from consumers.core import layout
from consumers.core.rows import Deed, Verb
from daemon.adapters.store import SqlStore
from deploy.local import stack
from tests.cli.command_line import CommandLine
from tests.contracts.planting import new_batch, plant

ME = f"{getpass.getuser()}@{socket.gethostname()}"
REQUEST = '{"request_id": "r", "model": "nova-lite", "metadata": {"requested_by": "catalog"}, "files": [%s]}'


def told(cli: CommandLine, *words: str) -> list[tuple[str, ...]]:
    entries = cli.document("audit", *words)["entries"]
    return [(e["actor"], e["verb"], e["phase"], e["target"]) for e in entries if e["verb"] != "migrate"]


def test_a_person_who_posts_a_request_is_told_with_whom_the_request_names(cloud: CommandLine) -> None:
    cloud.ok("send", "-", stdin=REQUEST % '{"file_id": 1, "s3_key": "a.mov", "size_bytes": 1}')
    assert told(cloud) == [(ME, "send", "intent", "r"), (ME, "send", "outcome", "r")]
    assert {each["requested_by"] for each in cloud.document("audit", "--batch", "r")["entries"]} == {
        "catalog"
    }


def test_what_a_queue_refused_is_told_as_failed(cloud: CommandLine, cli: CommandLine) -> None:
    cloud.settings["NOVABATCH_SUBMIT_QUEUE"] = "no-such-queue"
    cloud.refused("send", "-", stdin=REQUEST % '{"file_id": 1, "s3_key": "a.mov", "size_bytes": 1}')
    assert "failed: " in cloud.document("audit")["entries"][-1]["detail"]


def test_pausing_cancelling_and_cleaning_are_told_with_the_person(
    cloud: CommandLine, sqlite_store: SqlStore
) -> None:
    [chunk_id] = plant(sqlite_store)
    batch_id = chunk_id.partition("-")[0]
    cloud.ok("pause", "submit")
    cloud.ok("cancel", batch_id)
    mine = [each for each in told(cloud) if each[0] == ME]
    assert mine == [
        (ME, "pause", "done", "*"),
        (ME, "cancel", "intent", batch_id),
        (ME, "cancel", "outcome", batch_id),
    ]
    assert ME in cloud.ok("audit")
    assert told(cloud, "--since", "2100-01-01") == []
    assert len(told(cloud, "--limit", "1")) == 1


def test_a_redrive_is_told_with_each_letter(cloud: CommandLine, sqs: object) -> None:
    from tests.cli.queues import url_of

    sqs.send_message(QueueUrl=url_of(sqs, f"{stack.SUBMIT_QUEUE}-dlq"), MessageBody="{}")  # type: ignore[attr-defined]
    cloud.ok("dlq", "redrive", "--queue", "submit")
    begun, letter, done = (each[2:] for each in told(cloud))
    assert (begun, done) == (("intent", "queue submit"), ("outcome", "queue submit"))
    assert letter[0] == "outcome"


def test_who_only_sends_needs_no_database_and_is_told_that_nothing_is_noted(
    cloud: CommandLine, tmp_path: Path
) -> None:
    cloud.settings["NOVABATCH_DATABASE_URL"] = f"sqlite:///{tmp_path / 'none' / 'novabatch.db'}"
    done = cloud.run("send", "-", stdin=REQUEST % '{"file_id": 1, "s3_key": "a.mov", "size_bytes": 1}')
    assert (done.exit_code, done.stdout) == (0, "r\n")
    assert "the audit does not tell of this" in done.stderr
    assert not (tmp_path / "none").exists()


def test_migrating_is_told(cli: CommandLine, tmp_path: Path) -> None:
    cli.settings["NOVABATCH_DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.db'}"
    cli.ok("migrate")
    cli.ok("migrate")
    [entry] = cli.document("audit")["entries"]
    assert (entry["actor"], entry["verb"]) == (ME, "migrate")


ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"


@pytest.mark.parametrize("target", [ARN, f"sha256:{'0' * 64}", f"{layout.batch_id('r')}-000-0123456789ab"])
def test_the_table_fits_80_columns_and_leaves_names_whole(
    cli: CommandLine, sqlite_store: SqlStore, target: str
) -> None:
    sqlite_store.came_of(Deed(Verb.CLEANUP, target, detail="why " * 30, objects=3, bytes=1500))
    said = cli.ok("audit").splitlines()
    assert target in [line.strip() for line in said]
    assert [line for line in said if len(line) > 80 and " " in line.strip()] == []
    assert "1.5 kB freed" in " ".join(" ".join(said).split())


def test_a_batch_that_nobody_knows_is_named_with_the_verb_that_lists_them(
    cli: CommandLine, sqlite_store: SqlStore
) -> None:
    assert sqlite_store.accept(new_batch("known"))
    said = cli.refused("audit", "--batch", "knwon")
    assert "batch 'knwon' is not in the store: `novabatch status` lists them" in said
    assert "Did you mean 'known'?" in said
    nobody = "b0123456789abcdef0123"
    assert nobody in cli.refused("audit", "--batch", nobody, "--json")
    cli.ok("audit", "--batch", "known", "--since", "2100-01-01")
