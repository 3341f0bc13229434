"""`doctor`, `migrate`, and what people get to read when something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.store import SqlStore
from deploy.local import stack
from deploy.local.processes import Server
from tests.cli.command_line import NOWHERE, CommandLine
from tests.cli.queues import url_of
from tests.contracts.planting import after


def faults(cli: CommandLine) -> dict[str, str]:
    done = cli.run("doctor", "--json")
    assert done.exit_code == 1
    return {each["name"]: each["detail"] for each in json.loads(done.stdout)["checks"] if not each["ok"]}


def warnings(cli: CommandLine) -> dict[str, str]:
    checks = cli.document("doctor")["checks"]
    assert all(each["advice"] for each in checks if each["level"] != "ok")
    return {each["name"]: each["detail"] for each in checks if each["level"] == "warn"}


def test_a_sound_system_is_called_sound(cloud: CommandLine) -> None:
    document = cloud.document("doctor")
    assert document["ok"]
    assert [each["name"] for each in document["checks"]] == [
        *("settings", "variables", "models", "analyses", "credentials", "clock", "role", "pass role"),
        *("queue submit", "queue state", "queue cleanup", "rule"),
        *("bucket", "cleaning", "bedrock", "offers", "database", "findings"),
    ]
    assert warnings(cloud) == {}
    (told,) = (each["detail"] for each in document["checks"] if each["name"] == "pass role")
    assert told.startswith(
        f"arn:aws:iam::{stack.ACCOUNT}:role/novabatch-{stack.REGION}-submit may pass the role"
    )
    assert "FAULT" not in cloud.ok("doctor")


def test_each_setting_is_told_with_its_source(cloud: CommandLine) -> None:
    cloud.settings["NOVABATCH_SLOTS"] = "7"
    told = {each["name"]: (each["value"], each["source"]) for each in cloud.document("doctor")["settings"]}
    assert told["NOVABATCH_SLOTS"] == ("7", "environment")
    assert told["NOVABATCH_MAX_ATTEMPTS"] == ("3", "default")


def test_a_queue_that_is_gone_is_found(cloud: CommandLine, sqs: Any) -> None:
    sqs.delete_queue(QueueUrl=url_of(sqs, stack.CLEANUP_QUEUE))
    assert list(faults(cloud)) == ["queue cleanup"]


def test_a_queue_without_dead_letters_is_found(cloud: CommandLine, sqs: Any) -> None:
    sqs.create_queue(QueueName="bare")
    cloud.may_do_everything()
    cloud.settings["NOVABATCH_STATE_QUEUE"] = "bare"
    assert "has no dead-letter queue" in faults(cloud)["queue state"]


def test_old_versions_that_may_not_be_listed_are_found_with_the_permission(
    cloud: CommandLine, fresh_aws: Server
) -> None:
    fresh_aws.control.add_faults(calls=[{"operation": "ListObjectVersions", "code": "AccessDenied"}])
    found = faults(cloud)
    assert list(found) == ["cleaning"]
    assert "allow s3:ListBucketVersions" in found["cleaning"]


def test_a_missing_bucket_and_a_misspelt_setting_are_found(cloud: CommandLine) -> None:
    cloud.settings |= {"NOVABATCH_BUCKET": "no-such-bucket", "NOVABATCH_SLOT": "3"}
    found = faults(cloud)
    assert set(found) == {"bucket", "cleaning", "variables"}
    assert "did you mean NOVABATCH_SLOTS" in found["variables"]


def test_a_database_without_tables_is_found_and_mended(cloud: CommandLine, tmp_path: Path) -> None:
    cloud.settings["NOVABATCH_DATABASE_URL"] = f"sqlite:///{tmp_path / 'new' / 'other.db'}"
    assert list(faults(cloud)) == ["database"]
    assert "run `novabatch migrate`" in cloud.refused("status")
    assert "has the schema" in cloud.ok("migrate")
    assert cloud.document("doctor")["ok"]


def test_what_the_consumers_found_is_told(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    for number in range(7):
        sqlite_store.find("job_overdue", f"job-{number}", "open for long", after(minutes=number))
    said = warnings(cloud)["findings"]
    assert said.startswith("job_overdue job-0: open for long; job_overdue job-1")
    assert said.endswith("job_overdue job-4: open for long; and 2 more")


def test_a_password_is_never_shown(cli: CommandLine) -> None:
    cli.settings["NOVABATCH_DATABASE_URL"] = "postgresql://u:secret@127.0.0.1:9/n"
    for words in (["doctor"], ["doctor", "--json"], ["status"], ["migrate"]):
        done = cli.run(*words)
        assert done.exit_code == 1
        assert "secret" not in done.output


@pytest.mark.parametrize("words", [["dlq", "list"], ["storage"], ["reconcile"]])
def test_an_endpoint_that_does_not_answer_is_named(cli: CommandLine, words: list[str]) -> None:
    error = cli.refused(*words)
    assert NOWHERE in error
    assert "novabatch doctor" in error
    assert len(error.splitlines()) == 2


def test_a_bad_setting_is_named_with_what_to_write(cli: CommandLine) -> None:
    cli.settings["NOVABATCH_SLOTS"] = "many"
    error = cli.refused("status")
    assert error.startswith("Error: NOVABATCH_SLOTS: ")
    assert len(error.splitlines()) == 1


def test_a_bucket_that_is_not_set_is_asked_for(cli: CommandLine) -> None:
    cli.settings["NOVABATCH_BUCKET"] = ""
    assert "NOVABATCH_BUCKET is not set" in cli.refused("storage")


def test_a_bad_model_file_is_named(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text('{"models": [{"id": "x"}]}')
    cli.settings["NOVABATCH_MODELS_FILE"] = str(path)
    assert "MODELS_FILE: models.0.max_output_tokens is missing" in cli.refused("status")


def test_a_model_that_ends_and_a_price_that_nobody_looked_at_are_warned_of(
    cloud: CommandLine, tmp_path: Path
) -> None:
    price = {
        "input_per_million": "1", "output_per_million": "1", "since": "2020-01-01",
        "on_demand_input_per_million": "2", "on_demand_output_per_million": "2",
    }  # fmt: skip
    models = [
        {"id": "us.vendor.old-v1:0", "max_output_tokens": 9, "prices": [price]},
        {"id": "us.vendor.gone-v1:0", "max_output_tokens": 9, "ends_on": "2020-02-03"},
    ]
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"models": models}))
    cloud.settings["NOVABATCH_MODELS_FILE"] = str(path)
    told = warnings(cloud)["models"]
    assert "us.vendor.gone-v1:0 has ended on 2020-02-03" in told
    assert "price of us.vendor.old-v1:0 was last known to be right on 2020-01-01" in told
    assert "us.vendor.gone-v1:0: no price is known" in told


@pytest.mark.parametrize("url", ["oracle://x", "sqlite://", "nonsense"])
def test_a_database_url_nobody_understands_is_refused(cli: CommandLine, url: str) -> None:
    cli.settings["NOVABATCH_DATABASE_URL"] = url
    error = cli.refused("status")
    assert "DATABASE_URL" in error
    assert len(error.splitlines()) <= 2
