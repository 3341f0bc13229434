"""`cleanup` and `storage`: nothing goes unasked, and every byte is in its area."""

from typing import Any

from consumers.core import layout
from consumers.core.faults import Denied
from daemon.adapters.store import SqlStore
from daemon.metric_list import PREFIX
from daemon.settings import load
from daemon.wiring import Parts, store_gauges
from deploy.local import stack
from schemas.messages import CleanupChunk
from schemas.outcomes import Outcome
from tests.bench.child import surrounded
from tests.cli.command_line import CommandLine
from tests.cli.queues import bodies, depth
from tests.contracts.planting import NOW, completed, hold_chunk, judged, plant
from tests.stages.simulation import Simulation

UNOWNED = "job_20250101_000000_abcdef_000"


def folder_of(store: SqlStore, chunk: str) -> str:
    found = store.chunk(chunk)
    assert found is not None
    return found.folder


def fill(s3: Any, store: SqlStore, chunk: str) -> str:
    """Put three objects of ten bytes each into a chunk's folders."""
    folder = folder_of(store, chunk)
    keys = [layout.manifest_key(folder), layout.file_key(folder, "0.mov")]
    put(s3, *keys, layout.output_prefix(folder) + "x/manifest.jsonl.out")
    return folder


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"0123456789")


def litter(s3: Any) -> None:
    """Lay down what belongs to nobody."""
    put(s3, *(f"{prefix}a.mov" for prefix in layout.temporary_prefixes(UNOWNED)))
    put(s3, f"{layout.INPUT_ROOT}job_old/a.mov", "batch_input_1.jsonl", f"{layout.OUTPUT_ROOT}x1/a.jsonl.out")


def test_a_dry_run_counts_what_would_go_and_sends_nothing(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any
) -> None:
    chunk = completed(sqlite_store)
    folder = fill(s3, sqlite_store, chunk)
    assert cloud.document("cleanup", "--dry-run") == {
        "jobs_processed": 1,
        "jobs_cleaned": 1,
        "objects_deleted": 3,
        "bytes_freed": 30,
        "errors": [],
        "dry_run": True,
        "folders": [{"chunk_id": chunk, "folder": folder, "objects": 3, "bytes": 30}],
    }
    told = cloud.ok("cleanup", "r", "--dry-run")
    assert folder in told
    assert "would clean 1 of 1 chunks: 3 objects" in told
    assert depth(sqs, stack.CLEANUP_QUEUE) == 0


def test_without_a_terminal_cleanup_asks_for_a_decision(cli: CommandLine) -> None:
    error = cli.refused("cleanup", code=2)
    assert "add --yes or --dry-run" in error


def test_a_sweep_is_sent_and_its_end_awaited(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any
) -> None:
    chunk = completed(sqlite_store)
    fill(s3, sqlite_store, chunk)
    done = cloud.run("cleanup", "--yes", "--older-than-days", "3", "--wait", "0", "--json")
    assert done.exit_code == 0
    assert f'"chunk_id": "{chunk}"' in done.stdout
    (body,) = bodies(sqs, stack.CLEANUP_QUEUE)
    assert (body["type"], body["older_than_days"], body["dry_run"]) == ("sweep", 3, False)


def test_one_batch_can_be_cleaned_alone(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any
) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    fill(s3, sqlite_store, completed(sqlite_store, "other"))
    cloud.run("cleanup", "other", "--yes", "--wait", "0")
    (body,) = bodies(sqs, stack.CLEANUP_QUEUE)
    assert (body["type"], body["batch_id"]) == ("cleanup_batch", layout.batch_id("other"))


def test_nobody_who_cleans_is_a_failure(cloud: CommandLine, sqlite_store: SqlStore, s3: Any) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    done = cloud.run("cleanup", "--yes", "--wait", "1")
    assert done.exit_code == 1
    assert "sent, not cleaned yet" in done.stderr


def test_why_a_folder_could_not_be_cleaned_is_told(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any
) -> None:
    chunk = completed(sqlite_store)
    fill(s3, sqlite_store, chunk)
    sim = Simulation(sqlite_store)
    sim.objects.put(layout.manifest_key(folder_of(sqlite_store, chunk)))
    sim.objects.fail_next("deletions", Denied("AccessDenied: no (allow s3:DeleteObjectVersion)"))
    sim.post(CleanupChunk(chunk_id=chunk))
    sim.run()
    done = cloud.run("cleanup", "--yes", "--wait", "1")
    assert done.exit_code == 1
    assert "manifest.jsonl: AccessDenied: no (allow s3:DeleteObjectVersion)" in done.stderr
    assert "sent, not cleaned yet" not in done.stderr


def test_what_is_not_old_enough_stays(cloud: CommandLine, sqlite_store: SqlStore, s3: Any) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    assert "Nothing to clean." in cloud.ok("cleanup", "--yes", "--older-than-days", "3650")


def test_storage_puts_every_object_into_its_area(cloud: CommandLine, sqlite_store: SqlStore, s3: Any) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    (running,) = plant(sqlite_store, "running")
    fill(s3, sqlite_store, running)
    put(s3, "proxy_video/a.mov", layout.results_key(layout.batch_id("r")))
    put(s3, layout.input_prefix(UNOWNED) + "manifest.jsonl", f"{layout.INPUT_ROOT}strange.txt")
    put(s3, "batch_input_1.jsonl", f"{layout.OUTPUT_ROOT}flat.jsonl.out")
    document = cloud.document("storage")
    counted = {area: (each["objects"], each["bytes"]) for area, each in document.items()}
    assert counted == {
        "originals": (1, 10),
        "batch_folders": (6, 60),
        "output": (2, 20),
        "results": (1, 10),
        "cleanable": (3, 30),
        "unowned": (2, 20),
        "legacy": (2, 20),
    }
    assert document["batch_folders"] | {"folders": 3, "media": 3, "manifests": 3} == document["batch_folders"]
    assert document["cleanable"]["jobs"] == 1
    assert "3 folders, 3 media, 3 manifests" in cloud.ok("storage")


def test_paid_output_that_is_not_read_is_not_called_cleanable(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any
) -> None:
    chunk = completed(sqlite_store)
    fill(s3, sqlite_store, chunk)
    assert cloud.document("storage")["cleanable"]["jobs"] == 1
    held = hold_chunk(sqlite_store, chunk)
    sqlite_store.save(held, [judged(0, Outcome.MISSING, error_code="RESULT_FETCH_FAILED")], NOW)
    assert cloud.document("storage")["cleanable"] == {"objects": 0, "bytes": 0, "jobs": 0}


def test_the_gauges_of_a_consumer_tell_what_storage_tells(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any
) -> None:
    fill(s3, sqlite_store, completed(sqlite_store))
    put(s3, "proxy_video/a.mov")
    document = cloud.document("storage")
    with surrounded(dict(cloud.environment)):
        parts = Parts(load())
        gauges = store_gauges(parts, {})
        gauges.refresh()
        told = {metric.name.removeprefix(PREFIX): metric for metric in gauges.collect()}
        parts.close()
    for name, what in (("storage_objects", "objects"), ("storage_bytes", "bytes")):
        found = {sample.labels["area"]: sample.value for sample in told[name].samples}
        assert found == {area: each[what] for area, each in document.items()}


def test_what_is_nobody_s_is_told_by_the_name_it_is_cleaned_by(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any
) -> None:
    litter(s3)
    document = cloud.document("storage")
    assert set(document["unowned"]["names"]) == {UNOWNED, "job_old"}
    assert set(document["legacy"]["names"]) == {"batch_input_1.jsonl", "nova/batch/output/x1/"}
    assert UNOWNED in cloud.ok("storage")
    names = [
        *("--unowned", UNOWNED),
        *("--legacy", "batch_input_1.jsonl"),
        *("--legacy", "nova/batch/output/x1/"),
    ]
    told = cloud.document("cleanup", *names, "--dry-run")
    assert (told["jobs_processed"], told["objects_deleted"], told["bytes_freed"]) == (3, 4, 40)
    assert [each["folder"] for each in told["folders"]] == names[1::2]
    assert depth(sqs, stack.CLEANUP_QUEUE) == 0
    done = cloud.run("cleanup", *names, "--yes", "--wait", "0")
    assert done.exit_code == 0
    assert "sent, not gone yet" in done.stderr
    found = {body["type"]: body.get("folder") or body["place"] for body in bodies(sqs, stack.CLEANUP_QUEUE)}
    assert found["cleanup_unowned"] == UNOWNED
    assert set(found) == {"cleanup_unowned", "cleanup_legacy"}


def test_a_folder_of_a_chunk_and_a_wrong_name_are_refused_before_anything_is_sent(
    cloud: CommandLine, sqlite_store: SqlStore, s3: Any, sqs: Any
) -> None:
    chunk = completed(sqlite_store)
    folder = fill(s3, sqlite_store, chunk)
    assert chunk in cloud.refused("cleanup", "--unowned", folder, "--yes")
    assert "not what an earlier" in cloud.refused("cleanup", "--legacy", "proxy_video/", "--yes", code=2)
    assert "stand alone" in cloud.refused("cleanup", "r", "--unowned", UNOWNED, "--yes", code=2)
    assert depth(sqs, stack.CLEANUP_QUEUE) == 0
