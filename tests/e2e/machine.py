"""A whole machine for end-to-end tests: local AWS, real consumers, originals, and the store to look into."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from consumers.core import layout
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import Batch
from daemon.adapters.store import SqlStore, make_engine, migrate
from deploy.local import processes, stack, up
from deploy.local.permissions.roles import OPERATOR, role_of
from deploy.local.up import Local
from tests.e2e import forks

QUICK = {
    "NOVABATCH_MIN_RECORDS": "2",
    "NOVABATCH_MAX_FILES_PER_CHUNK": "3",
    "NOVABATCH_VISIBILITY_TIMEOUT": "3",
    "NOVABATCH_RECEIVE_WAIT": "1",
    "NOVABATCH_RECONCILE_INTERVAL": "1",
}
VISIBLE, HIDDEN = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
DEPTHS = (VISIBLE, HIDDEN, "ApproximateNumberOfMessagesDelayed")
CONSUMERS = ("submit", "job_state", "cleanup")
# `doctor` looks at the caller's role, which may have a path; who may not look goes by the role's name.
GOES_BY_NAME = ["operator", "iam:GetRole", f"arn:aws:iam::{stack.ACCOUNT}:role/{role_of(OPERATOR)}"]
QUEUES = {"submit": stack.SUBMIT_QUEUE, "job_state": stack.STATE_QUEUE, "cleanup": stack.CLEANUP_QUEUE}


@dataclass
class Machine:
    """One machine under test."""

    local: Local
    engine: Engine
    store: SqlStore
    posted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def s3(self) -> Any:
        return stack.client("s3", self.local.server.url)

    @property
    def sqs(self) -> Any:
        return stack.client("sqs", self.local.server.url)

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start a consumer process."""
        up.start_consumer(self.local, name)
        if wait:
            up.wait_for_consumer(self.local, name)

    def kill(self, name: str) -> None:
        """Take a consumer away, as a power failure would."""
        child = self.local.consumers[name]
        child.process.kill()
        child.process.wait()

    def in_flight(self, queue: str) -> int:
        """Count the messages that somebody has received and not deleted."""
        return self._depth(queue, HIDDEN)

    def waiting(self, queue: str) -> int:
        """Count the messages that nobody has received."""
        return self._depth(queue, VISIBLE)

    def is_drained(self, *queues: str) -> bool:
        """Tell whether queues hold no message, received or not."""
        return not any(self._depth(queue, *DEPTHS) for queue in queues)

    def originals(self, label: str, count: int) -> list[dict[str, Any]]:
        """Put small originals into the bucket, under names Bedrock would refuse."""
        files = []
        for number in range(1, count + 1):
            key = f"proxy_video/{label}, {number} (raw).mov"
            body = f"{label} {number}".encode()
            self.s3.put_object(Bucket=stack.BUCKET, Key=key, Body=body)
            files.append({"file_id": f"{label}-{number}", "s3_key": key})
        return files

    def post(self, label: str, files: list[dict[str, Any]], **more: Any) -> str:
        """Post a request; returns the batch id."""
        request = {"request_id": label, "model": "nova-2-lite", "files": files, **more}
        url = self.sqs.get_queue_url(QueueName=stack.SUBMIT_QUEUE)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(request))
        self.posted[layout.batch_id(label)] = files
        return layout.batch_id(label)

    def batch(self, batch_id: str) -> Batch | None:
        return self.store.batch(batch_id)

    def ended(self, batch_id: str) -> bool:
        batch = self.batch(batch_id)
        return batch is not None and batch.state in BATCH_ENDS

    def wait_for_end(self, batch_ids: Iterable[str], seconds: float = 100) -> None:
        for batch_id in batch_ids:
            told = f"{self.batch(batch_id)} {self.store.chunk_ids(batch_id)}"
            assert processes.wait_until(lambda each=batch_id: self.ended(each), seconds), told  # type: ignore[misc]

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the lines of the results file."""
        key = layout.results_key(batch_id)
        body = self.s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
        return [json.loads(line) for line in body.split(b"\n") if line]

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def is_clean(self) -> bool:
        """Tell whether both temporary places are empty."""
        return not self.keys(layout.INPUT_ROOT) + self.keys(layout.OUTPUT_ROOT)

    def jobs(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the jobs that Bedrock made for a batch, with the records they bought."""
        mark = f"-{batch_id[1:7]}-"
        return [job for job in self.local.server.control.jobs() if mark in job["name"]]

    def sent(self, batch_id: str) -> dict[str, int]:
        """Count how often each record was sent, padding left out."""
        counts: dict[str, int] = {}
        for job in self.jobs(batch_id):
            for record_id in job["records"]:
                if not layout.is_padding(record_id):
                    counts[record_id] = counts.get(record_id, 0) + 1
        return counts

    def dead_letters(self, queue: str) -> int:
        return self.waiting(f"{queue}-dlq")

    def _depth(self, queue: str, *attributes: str) -> int:
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        told = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)["Attributes"]
        return sum(int(told[attribute]) for attribute in attributes)


def refused(running: Machine, *callers: str) -> list[list[str]]:
    """Return what no role allowed that a caller, or anybody, asked for: caller, action, resource."""
    found: list[list[str]] = running.local.server.control.permissions()["refused"]
    return [each for each in found if each != GOES_BY_NAME and (not callers or each[0] in callers)]


@contextmanager
def machine(
    directory: Path, *, start: Iterable[str] = CONSUMERS, step_seconds: float = 0.1, **settings: str
) -> Iterator[Machine]:
    """Run a machine for as long as the block lasts; logs stay in the directory.

    Whatever it was made to do, no role may have been too narrow for it.
    """
    environment: Mapping[str, str] = {**QUICK, **settings}
    with up.running(
        directory, port=0, consumers=False, step_seconds=step_seconds, launch=forks.launch
    ) as local:
        local.environment |= environment
        local.server.control.set(min_records=int(environment["NOVABATCH_MIN_RECORDS"]))
        local.wanted = dict.fromkeys(CONSUMERS, 0)
        engine = make_engine(local.environment["NOVABATCH_DATABASE_URL"])
        migrate(engine)
        running = Machine(local, engine, SqlStore(engine))
        try:
            for name in start:
                running.start(name, wait=False)
            for name in start:
                up.wait_for_consumer(local, name)
            yield running
            assert refused(running) == []
        finally:
            processes.stop(local.consumers.values())
            engine.dispose()
