"""Messages that are refused, and whether a schema sees it: what it cannot express, only the parser tells."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from daemon.contract.examples import ARN, BATCH, EVENT, LEAST
from schemas.queues import Queue

A_FILE = LEAST["files"][0]


@dataclass(frozen=True, slots=True)
class RefusedBody:
    """A body that is no message. ``kind`` is the schema that is meant for it; ``seen``: it says so too."""

    queue: Queue
    kind: str
    body: Mapping[str, Any]
    seen: bool = True


def _request(**changes: Any) -> RefusedBody:
    fields = {name: value for name, value in {**LEAST, **changes}.items() if value is not ...}
    return RefusedBody(Queue.SUBMIT, "submit_batch", fields)


def _file(**changes: Any) -> RefusedBody:
    return _request(files=[{**A_FILE, **changes}])


def _unseen(refused: RefusedBody) -> RefusedBody:
    return replace(refused, seen=False)


def _deep(levels: int) -> list[Any]:
    return [_deep(levels - 1)] if levels else []


def _batch(kind: str, queue: Queue, **fields: Any) -> RefusedBody:
    return RefusedBody(queue, kind, {"type": kind, **fields})


REFUSED: Mapping[str, RefusedBody] = {
    "an unknown field": _request(filez=[]),
    "no model": _request(model=...),
    "neither files nor files_from": _request(files=...),
    "an empty list of files": _request(files=[]),
    "files and files_from": _request(files_from={"prefix": "a/"}),
    "list and prefix": _request(files=..., files_from={"prefix": "a/", "list": "s3://media/a.jsonl"}),
    "neither list nor prefix": _request(files=..., files_from={}),
    "suffixes of a list": _request(files=..., files_from={"list": "s3://m/a", "suffixes": [".mov"]}),
    "a file_id that is true": _file(file_id=True),
    "a file_id with a slash": _file(file_id="a/b"),
    "a file_id of 65 digits": _file(file_id=10**64),
    "an empty key": _file(s3_key=""),
    "a key of 1025 characters": _file(s3_key="k" * 1025),
    "a key of 1025 bytes": _unseen(_file(s3_key="é" * 512 + "k")),
    "a file larger than S3 allows": _file(size_bytes=5 * 1024**4 + 1),
    "a size with a fraction": _file(size_bytes=0.5),
    "a size written as 7.0": _unseen(_file(size_bytes=7.0)),
    "an unknown field of a file": _file(colour="red"),
    "two files of one file_id": _unseen(_request(files=[A_FILE, {**A_FILE, "file_id": "1"}])),
    "an analysis type twice": _request(analysis_types=["summary", "summary"]),
    "no analysis type": _request(analysis_types=[]),
    "a version to come": _request(version=2),
    "a priority in words": _request(priority="high"),
    "a negative budget": _request(budget_usd=-1),
    "a budget in words": _request(budget_usd="twenty"),
    "a budget over the limit": _request(budget_usd="1000000.01"),
    "an unknown depth": _request(options={"summary_depth": "deep"}),
    "a language in words": _request(options={"language": "Portuguese"}),
    "a temperature below 0": _request(options={"temperature": -0.1}),
    "a line break in a name": _request(request_id="a\nb"),
    "an invisible space in a name": _unseen(_request(request_id="a\u200bb")),
    "values nested too deep": _unseen(_request(metadata={"a": _deep(60)})),
    "a null byte": _unseen(_file(s3_key="a\u0000b.mov")),
    "a batch that has two names": _batch("cancel_batch", Queue.SUBMIT, batch_id=BATCH, request_id="r-1"),
    "a batch without a name": _batch("retry_batch", Queue.SUBMIT),
    "a batch_id that is none": _batch("settle_batch", Queue.STATE, batch_id="b1"),
    "a source that is no place": _batch("adopt_job", Queue.STATE, source="somewhere"),
    "a flag in words": _batch("sweep", Queue.CLEANUP, dry_run="yes"),
    "a type of another queue": RefusedBody(Queue.CLEANUP, "sweep", {"type": "reconcile"}),
    "no type": RefusedBody(Queue.STATE, "reconcile", {}),
    "an event without a job": RefusedBody(
        Queue.STATE, "job_state_change", {**EVENT, "detail": {"batchJobName": "n", "status": "Completed"}}
    ),
    "an event of another kind of job": RefusedBody(
        Queue.STATE,
        "job_state_change",
        {**EVENT, "detail": {**EVENT["detail"], "batchJobArn": ARN.replace("model-invocation", "other")}},
    ),
}
