"""What each action of the consumers' roles is needed for, and how to see that it went on.

A deed is a generator. Up to its first yield it prepares what still may be done; then the action is denied,
and it does what needs it; after its second yield, with the action allowed again, it waits for its end.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from consumers.core import layout
from consumers.core.lifecycle import BatchState
from deploy.local import processes, stack
from tests.e2e.machine import QUEUES, Machine

Deed = Callable[["Living"], Iterator[None]]
Place = tuple[str, str, str]
"""Where something is told, the row it stands in, and what it says."""

ROWS = {
    "batch": "SELECT batch_id, last_error || ' ' || reason FROM batches",
    "chunk": "SELECT chunk_id, last_error || ' ' || reason FROM chunks",
    "file": "SELECT batch_id || position, reason FROM files",
    "finding": "SELECT kind || ' ' || subject, detail FROM findings",
}
NUDGE_EVERY = 2.0  # seconds
LARGE = 33 * 1024 * 1024  # more than one part of an upload
_numbers = count(1)


@dataclass
class Living:
    """A machine with all its consumers, and what its people can read."""

    machine: Machine
    media: Path
    read_to: dict[str, int] = field(default_factory=dict)

    def told(self, consumer: str) -> set[Place]:
        """Return all that rows tell, and the warnings and errors a consumer logged."""
        with self.machine.engine.connect() as connection:
            rows = {(place, *row) for place, query in ROWS.items() for row in connection.execute(text(query))}
        return rows | {("log", event, why) for event, why in self._warnings(consumer)}

    def _warnings(self, consumer: str) -> Iterator[tuple[str, str]]:
        log = self.machine.local.consumers[consumer].log
        for line in log.read_text(errors="replace").splitlines()[self.read_to.get(consumer, 0) :]:
            said = json.loads(line) if line.startswith("{") else {}
            if said.get("level") in {"warning", "error"}:
                yield said["event"], str(said.get("why", ""))

    def forget_log(self, consumer: str) -> None:
        """Read what a consumer logs from here on."""
        log = self.machine.local.consumers[consumer].log
        self.read_to[consumer] = len(log.read_text(errors="replace").splitlines())

    def wait(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait, and let no message rest for long; each return counts as a receive."""
        nudged = time.monotonic()

        def holds() -> bool:
            nonlocal nudged
            if time.monotonic() - nudged > NUDGE_EVERY:
                nudged = time.monotonic()
                for queue in QUEUES.values():
                    self.machine.local.server.control.return_messages(queue)
            return condition()

        assert processes.wait_until(holds, 45), what

    def send(self, queue: str, **message: Any) -> None:
        url = self.machine.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.machine.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))

    def post(self, files: int = 2, **more: Any) -> str:
        label = f"row{next(_numbers)}"
        return self.machine.post(label, self.machine.originals(label, files), **more)

    def completed(self, batch_id: str) -> bool:
        batch = self.machine.batch(batch_id)
        return batch is not None and batch.state is BatchState.COMPLETED

    def whole(self) -> str:
        """Return a batch that is completed."""
        batch_id = self.post()
        self.wait(lambda: self.completed(batch_id), "a batch without any denial")
        return batch_id

    @contextmanager
    def faults(self, **faults: Any) -> Iterator[None]:
        self.machine.local.server.control.add_faults(**faults)
        try:
            yield
        finally:
            self.machine.local.server.control.clear_faults()


# -- from a request to its results -------------------------------------------------------------------------


def a_batch(living: Living) -> Iterator[None]:
    yield
    batch_id = living.post()
    yield
    living.wait(lambda: living.completed(batch_id), "the batch goes on")


def a_batch_that_is_refused(living: Living) -> Iterator[None]:
    """What is refused for a denial is had by a retry."""
    yield
    batch_id = living.post()
    yield
    living.wait(lambda: living.machine.ended(batch_id), "the refused batch ends")
    living.send(stack.SUBMIT_QUEUE, type="retry_batch", batch_id=batch_id)
    living.wait(lambda: living.completed(batch_id), "the retry goes on")


def a_lost_answer(living: Living) -> Iterator[None]:
    """A create whose answer is lost has its job looked for."""
    lost = {"service": "bedrock", "operation": "CreateModelInvocationJob", "lost_answer": True, "count": 1}
    with living.faults(calls=[lost]):
        yield
        batch_id = living.post()
        yield
    living.wait(lambda: living.completed(batch_id), "the job is found")


def a_cancel(living: Living) -> Iterator[None]:
    with living.faults(jobs=[{"outcome": "stuck", "state": "InProgress"}]):
        batch_id = living.post()
        living.wait(lambda: any(each["status"] == "InProgress" for each in living.machine.jobs(batch_id)))
        yield
        living.send(stack.SUBMIT_QUEUE, type="cancel_batch", batch_id=batch_id)
        yield
        living.wait(lambda: living.machine.ended(batch_id), "the job is stopped")


def an_open_job(living: Living) -> Iterator[None]:
    """While a job is open the reconciler lists."""
    with living.faults(jobs=[{"outcome": "stuck", "state": "InProgress"}]):
        batch_id = living.post()
        living.wait(lambda: any(each["status"] == "InProgress" for each in living.machine.jobs(batch_id)))
        yield
        yield
    living.wait(lambda: living.completed(batch_id), "the job ends")


def a_stranger(living: Living) -> Iterator[None]:
    """An object of nobody in a chunk's folder while it is filled is deleted before the create."""
    yield
    with living.faults(calls=[{"service": "s3", "operation": "CopyObject", "latency": 1.0}]):
        batch_id = living.post()
        living.wait(lambda: bool(folders(living, batch_id)))
        (folder,) = folders(living, batch_id)
        key = f"{layout.input_prefix(folder)}stranger.jsonl"
        living.machine.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"{}")
    yield
    living.wait(lambda: living.completed(batch_id), "the stranger goes")


def folders(living: Living, batch_id: str) -> list[str]:
    store = living.machine.store
    chunks = [store.chunk(chunk_id) for chunk_id, _ in store.chunk_ids(batch_id)]
    return [chunk.folder for chunk in chunks if chunk is not None]


def a_broken_upload(living: Living) -> Iterator[None]:
    """A file that is gone from S3 is uploaded in parts; what breaks off is taken back."""
    (living.media / "big.mov").write_bytes(bytes(LARGE))
    broken = {"service": "s3", "operation": "UploadPart", "code": "NoSuchUpload", "status": 404, "count": 1}
    with living.faults(calls=[broken]):
        yield
        label = f"row{next(_numbers)}"
        gone = {"file_id": "up", "s3_key": "proxy_video/up.mov", "local_path": "big.mov"}
        batch_id = living.machine.post(label, [*living.machine.originals(label, 2), gone])
        yield
    living.wait(lambda: living.machine.ended(batch_id), "the upload comes through")


# -- what lies about ---------------------------------------------------------------------------------------


def a_cleaning(living: Living) -> Iterator[None]:
    batch_id = living.whole()
    yield
    living.send(stack.CLEANUP_QUEUE, type="cleanup_batch", batch_id=batch_id)
    yield
    living.wait(lambda: not left(living, batch_id), "the folders are emptied")


def a_sweep(living: Living) -> Iterator[None]:
    batch_id = living.whole()
    yield
    living.send(stack.CLEANUP_QUEUE, type="sweep", older_than_days=0)
    yield
    living.wait(lambda: not left(living, batch_id), "the folders are swept")


def left(living: Living, batch_id: str) -> list[str]:
    """Return what lies in the temporary folders of a batch."""
    return [
        key
        for folder in folders(living, batch_id)
        for prefix in layout.temporary_prefixes(folder)
        for key in living.machine.keys(prefix)
    ]


def a_folder_of_nobody(living: Living) -> Iterator[None]:
    """It goes if no plan and no open job of anybody names it; it has no row."""
    folder = f"job_20260101_000000_{living.whole()[1:7]}_777"
    key = f"{layout.INPUT_ROOT}{folder}/a"
    living.machine.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"x")
    yield
    living.send(stack.CLEANUP_QUEUE, type="cleanup_unowned", folder=folder)
    yield
    living.wait(lambda: not living.machine.keys(key), "the folder goes")


def a_forgotten_file(living: Living) -> Iterator[None]:
    batch_id = living.whole()
    yield
    living.send(stack.STATE_QUEUE, type="forget_file", batch_id=batch_id, position=0)
    yield
    living.wait(
        lambda: (batch := living.machine.batch(batch_id)) is not None and batch.revision > 1,
        "the file is forgotten",
    )


# -- the loop itself ---------------------------------------------------------------------------------------


def a_message_in_hand(living: Living) -> Iterator[None]:
    """A message that is worked on for long is hidden again and again."""
    yield
    with living.faults(calls=[{"service": "s3", "operation": "*", "latency": 1.5}]):
        batch_id = living.post()
        living.send(stack.CLEANUP_QUEUE, type="cleanup_legacy", place="nova/batch/input/old/")
        yield
    living.wait(lambda: living.completed(batch_id), "the work goes on")


def a_start(consumer: str) -> Deed:
    def start(living: Living) -> Iterator[None]:
        living.machine.kill(consumer)
        yield
        living.machine.start(consumer, wait=False)
        yield
        living.machine.local.consumers[consumer].process.wait()
        living.machine.start(consumer)
        living.whole()

    return start


CONSUMERS: Mapping[str, str] = {"submit": "submit", "job-state": "job_state", "cleanup": "cleanup"}
"""The consumers by their callers' names."""
