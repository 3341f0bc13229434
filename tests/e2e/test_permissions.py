"""What the consumers and the command line call, held against the template's roles: none refused, none spare.

The local AWS lets each process do what its role allows. One machine lives through everything a consumer does.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from deploy.local import processes, stack
from tests.cli.command_line import CommandLine
from tests.e2e.machine import QUEUES, Machine, machine, refused

CALLERS = ("submit", "job-state", "cleanup", "operator")
SOME_KEY = "proxy_video/upload.mov"
LARGE = 33 * 1024 * 1024  # more than one part of an upload

BUCKET = f"arn:aws:s3:::{stack.BUCKET}"
ELSEWHERE = {
    # Plans and results beyond 8 MB are sent in parts; tests/contracts/test_s3_writing.py breaks one off.
    ("submit", "s3:AbortMultipartUpload", f"{BUCKET}/nova_results/*/plan*"),
    ("job-state", "s3:AbortMultipartUpload", f"{BUCKET}/nova_results/*"),
    # Output that comes late is read an hour after a job was stopped; tests/stages/test_late_output.py.
    ("cleanup", "s3:GetObject", f"{BUCKET}/nova/batch/output/*"),
    ("cleanup", "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{stack.ACCOUNT}:{stack.STATE_QUEUE}"),
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return what was given, used and refused when everything had been done once."""
    folder = tmp_path_factory.mktemp("machine")
    media = folder / "media"
    media.mkdir()
    settings = {
        "NOVABATCH_MEDIA_ROOTS": str(media),
        "NOVABATCH_SLOTS": "1",
        "NOVABATCH_MAX_CHUNK_BYTES": str(LARGE + 1024),
        "NOVABATCH_EVENT_BUS": "default",
    }
    with machine(folder, start=("submit", "job_state"), step_seconds=0.05, **settings) as running:
        versioning = {"Status": "Enabled"}
        running.s3.put_bucket_versioning(Bucket=stack.BUCKET, VersioningConfiguration=versioning)
        live(running, media)
        operate(running, folder)
        yield {**running.local.server.control.permissions(), "refused": refused(running)}


def live(running: Machine, media: Path) -> None:
    whole = go_the_whole_way(running)
    forget(running, whole)
    running.start("cleanup")
    find_no_file(running)
    break_an_upload_off(running, media)
    split_a_chunk(running)
    meet_a_stranger(running)
    cancel_a_job(running)
    clean_what_is_nobodys(running, whole)
    send(running, stack.STATE_QUEUE, type="adopt_job", source=running.jobs(whole)[0]["arn"])
    age(running, whole)
    refuse(running)


def go_the_whole_way(running: Machine) -> str:
    """Send, pay and store a batch of two jobs, one after the other; the first create's answer is lost."""
    lost = {"service": "bedrock", "operation": "CreateModelInvocationJob", "lost_answer": True, "count": 1}
    running.local.server.control.add_faults(calls=[lost])
    batch_id = running.post("whole", running.originals("whole", 4))
    running.wait_for_end([batch_id])
    return batch_id


def find_no_file(running: Machine) -> None:
    """Send a batch whose only file is gone when it is copied: its folder is cleaned without a job."""
    gone = {"file_id": "gone", "s3_key": "proxy_video/gone.mov", "size_bytes": 4}
    running.wait_for_end([running.post("gone", [gone])])


def break_an_upload_off(running: Machine, media: Path) -> None:
    (media / "big.mov").write_bytes(bytes(LARGE))
    broken = {"service": "s3", "operation": "UploadPart", "code": "NoSuchUpload", "status": 404, "count": 1}
    running.local.server.control.add_faults(calls=[broken])
    files = [*running.originals("beside", 2), {"file_id": "up", "s3_key": SOME_KEY, "local_path": "big.mov"}]
    running.wait_for_end([running.post("upload", files)])


def split_a_chunk(running: Machine) -> None:
    """Send two files larger than their sender says: they go into two chunks, the first of all is cleaned."""
    files = []
    for name in ("one", "two"):
        key = f"proxy_video/{name}.mov"
        running.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=bytes(LARGE * 2 // 3))
        files.append({"file_id": name, "s3_key": key, "size_bytes": 1})
    batch_id = running.post("split", files, options={"reuse": "never"})
    running.wait_for_end([batch_id])
    assert len(running.store.chunk_ids(batch_id)) == 3


def meet_a_stranger(running: Machine) -> None:
    """Put an object of nobody into a chunk's folder while the chunk is filled."""
    slow = {"service": "s3", "operation": "CopyObject", "latency": 1.0}
    running.local.server.control.add_faults(calls=[slow])
    batch_id = running.post("stranger", running.originals("stranger", 3))
    wait(lambda: bool(folders(running, batch_id)))
    (folder,) = folders(running, batch_id)
    key = f"{layout.input_prefix(folder)}stranger.jsonl"
    running.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"{}")
    running.local.server.control.clear_faults()
    running.wait_for_end([batch_id])


def folders(running: Machine, batch_id: str) -> list[str]:
    chunks = [running.store.chunk(chunk_id) for chunk_id, _ in running.store.chunk_ids(batch_id)]
    return [chunk.folder for chunk in chunks if chunk is not None]


def cancel_a_job(running: Machine) -> None:
    """Stop a job by cancelling its batch, then send its records again."""
    control = running.local.server.control
    control.add_faults(jobs=[{"outcome": "stuck", "state": "InProgress"}])
    batch_id = running.post("cancelled", running.originals("cancelled", 2))
    wait(lambda: any(job["status"] == "InProgress" for job in running.jobs(batch_id)))
    wait(
        lambda: "bedrock:ListModelInvocationJobs" in used_by(running, "job-state")
    )  # a pass meets an open job
    send(running, stack.SUBMIT_QUEUE, type="cancel_batch", batch_id=batch_id)
    running.wait_for_end([batch_id])
    control.clear_faults()
    send(running, stack.SUBMIT_QUEUE, type="retry_batch", batch_id=batch_id)
    wait(lambda: (batch := running.batch(batch_id)) is not None and batch.state is BatchState.COMPLETED)


def used_by(running: Machine, caller: str) -> set[str]:
    return {action for _, action, _ in running.local.server.control.permissions()["used"].get(caller, ())}


def clean_what_is_nobodys(running: Machine, batch_id: str) -> None:
    """Delete a folder that only looks like a batch's, and what an earlier system left."""
    folder = f"job_20260101_000000_{batch_id[1:7]}_777"
    for key in (f"{layout.INPUT_ROOT}{folder}/a", f"{layout.OUTPUT_ROOT}{folder}/b", *LEGACY):
        running.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"x")
    send(running, stack.CLEANUP_QUEUE, type="cleanup_unowned", folder=folder)
    for place in ("batch_input_1.jsonl", "nova/batch/input/old/"):
        send(running, stack.CLEANUP_QUEUE, type="cleanup_legacy", place=place)
    wait(lambda: not any(folder in key or key in LEGACY for key in running.keys("")))


LEGACY = ("batch_input_1.jsonl", "nova/batch/input/old/a.jsonl")


def forget(running: Machine, batch_id: str) -> None:
    """Forget a file whose copy and output still lie in the chunk's folders."""
    send(running, stack.STATE_QUEUE, type="forget_file", batch_id=batch_id, position=0)
    wait(lambda: (batch := running.batch(batch_id)) is not None and batch.revision > 1)


def age(running: Machine, batch_id: str) -> None:
    """Let everything be old: folders first, then raw lines, then results."""
    send(running, stack.CLEANUP_QUEUE, type="sweep", older_than_days=0)
    wait(lambda: running.is_drained(stack.CLEANUP_QUEUE))
    send(running, stack.CLEANUP_QUEUE, type="remove_raw", older_than_days=0)
    wait(lambda: not running.keys(layout.raw_prefix(batch_id)))
    send(running, stack.CLEANUP_QUEUE, type="remove_results", older_than_days=0)
    wait(lambda: not running.keys(layout.results_prefix(batch_id)))


def refuse(running: Machine) -> None:
    """Bury a message of each queue."""
    for queue in QUEUES.values():
        send(running, queue, type="nothing_like_it")
        wait(lambda queue=queue: running.dead_letters(queue) > 0)  # type: ignore[misc]


def operate(running: Machine, folder: Path) -> None:
    """Run the verbs that call AWS as the role of a person."""
    models = folder / "models.json"
    models.write_text('{"models": [{"id": "amazon.nova-lite-v1:0", "max_output_tokens": 9}]}')
    settings = {
        **running.local.environment,
        "AWS_ACCESS_KEY_ID": "operator",
        "NOVABATCH_MODELS_FILE": str(models),
    }
    person = CommandLine(folder, running.local.server.url, settings)
    for verb in (
        "doctor",
        "storage",
        "pending",
        "dlq list",
        "dlq redrive --limit 1",
        "cleanup --older-than-days 0 --yes --wait 0",
    ):
        person.run(*verb.split())
    request = {"request_id": "asked", "model": "nova-2-lite", "files_from": {"prefix": "proxy_video/"}}
    person.run("plan", "-", stdin=json.dumps(request))
    for verb in ("send -", "reconcile", "reconcile --rebuild", "cancel asked"):
        person.run(*verb.split(), stdin=json.dumps(request))


def send(running: Machine, queue: str, **message: Any) -> None:
    url = running.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    running.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))


def wait(condition: Callable[[], bool]) -> None:
    assert processes.wait_until(condition, 30)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("caller", CALLERS)
def test_no_call_is_refused(lived: dict[str, Any], caller: str) -> None:
    assert [each for each in lived["refused"] if each[0] == caller] == []


@pytest.mark.parametrize("caller", CALLERS)
def test_every_permission_is_used(lived: dict[str, Any], caller: str) -> None:
    given, used = ({tuple(each) for each in lived[kind][caller]} for kind in ("given", "used"))
    spare = {(caller, action, resource) for _, action, resource in given - used}
    assert spare == {each for each in ELSEWHERE if each[0] == caller}
