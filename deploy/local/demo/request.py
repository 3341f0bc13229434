"""The demo's message, as any sender would post it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from deploy.local.demo.originals import Original

MODEL = "nova-2-lite"
FILES_IN_A_MESSAGE = 500


def new_request_id() -> str:
    """Name a request after the time."""
    return f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def post(s3: Any, sqs: Any, bucket: str, queue_url: str, request_id: str, files: Sequence[Original]) -> None:
    """Post one submit_batch message; a long list of files goes into an object that the message names."""
    listed = [_entry(original) for original in files]
    if len(listed) <= FILES_IN_A_MESSAGE:
        source: dict[str, Any] = {"files": listed}
    else:
        key = f"lists/{request_id}.jsonl"
        s3.put_object(Bucket=bucket, Key=key, Body="".join(json.dumps(each) + "\n" for each in listed))
        source = {"files_from": {"list": f"s3://{bucket}/{key}"}}
    message = {
        "type": "submit_batch",
        "version": 1,
        "request_id": request_id,
        "model": MODEL,
        "analysis_types": ["combined"],
        "metadata": {"requested_by": "demo"},
        **source,
    }
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))


def _entry(original: Original) -> dict[str, Any]:
    context = {"path": f"demo/{original.key.partition('/')[0]}", "uploaded_as": original.name}
    return {"file_id": original.file_id, "s3_key": original.key, "context": context}
