"""`forget`: what it asks, what it refuses, what it says before and after."""

from daemon.adapters.store import SqlStore
from tests.cli.command_line import CommandLine
from tests.contracts.planting import NOW, plant
from tests.contracts.test_store_forgetting import ended, forgotten

URI = "s3://media/proxy/0.mov"


def test_without_a_terminal_it_wants_a_word(cli: CommandLine) -> None:
    assert "add --yes or --dry-run" in cli.refused("forget", "1000", code=2)


def test_a_dry_run_names_the_batches_and_changes_nothing(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    batch_id = ended(sqlite_store)
    document = cloud.document("forget", "1000", "--dry-run")
    assert [each["batch_id"] for each in document["batches"]] == [batch_id]
    assert document["dry_run"]
    assert cloud.document("forget", URI, "--dry-run")["batches"] == document["batches"]
    assert sqlite_store.holders_of("", "media", "proxy/0.mov")


def test_a_batch_that_runs_is_refused_by_name(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    [chunk_id] = plant(sqlite_store)
    done = cloud.run("forget", "1000", "--yes")
    assert done.exit_code == 1
    assert f"{chunk_id.partition('-')[0]} still run: wait for their end, or cancel them" in done.stderr


def test_an_id_that_names_several_objects_is_not_guessed(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    ended(sqlite_store)
    ended(sqlite_store, "other")
    with sqlite_store.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET s3_key = batch_id WHERE position = 0")
    said = cloud.refused("forget", "1000", "--yes")
    assert "names several objects: s3://media/b" in said
    assert "Say which one" in said


def test_a_name_that_nobody_knows_is_no_proof_of_anything(cloud: CommandLine) -> None:
    assert "no batch knows nobody: nothing was forgotten" in cloud.refused("forget", "nobody", "--yes")


def test_what_nobody_carries_out_is_named_as_left(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    batch_id = ended(sqlite_store)
    done = cloud.run("forget", "1000", "--yes", "--wait", "0")
    assert done.exit_code == 1
    assert f"left: rows of batch {batch_id}" in done.stderr
    assert "novabatch run job_state" in done.stderr


def test_what_fails_is_told_with_its_reason_and_that_it_is_tried_again(
    cloud: CommandLine, sqlite_store: SqlStore
) -> None:
    batch_id = ended(sqlite_store)
    held = forgotten(sqlite_store, batch_id)
    sqlite_store.failed(held, "forget", "AccessDenied: s3:DeleteObjectVersion", NOW)
    sqlite_store.release(held)
    said = cloud.run("forget", "1000", "--yes", "--wait", "0").stderr
    assert f"batch {batch_id} failed: AccessDenied: s3:DeleteObjectVersion" in said
    assert "tried again by itself, within the hour" in said
    assert "run job_state" not in said
    sqlite_store.find("forget_failing", batch_id, "of a file there is left: a version", NOW)
    said = cloud.run("forget", "1000", "--yes", "--wait", "0").stderr
    assert "of a file there is left: a version" in said


def test_one_that_is_leaving_is_found_again_by_its_name(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    batch_id = ended(sqlite_store)
    sqlite_store.release(forgotten(sqlite_store, batch_id))
    for name in ("1000", URI):
        assert [each["batch_id"] for each in cloud.document("forget", name, "--dry-run")["batches"]] == [
            batch_id
        ]


def test_the_audit_tells_the_person_and_not_the_file(cloud: CommandLine, sqlite_store: SqlStore) -> None:
    ended(sqlite_store)
    cloud.run("forget", URI, "--yes", "--wait", "0")
    entries = [each for each in cloud.document("audit")["entries"] if each["verb"] == "forget"]
    assert [each["phase"] for each in entries] == ["intent", "outcome"]
    assert all(each["target"].startswith("sha256:") for each in entries)
