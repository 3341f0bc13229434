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


def message(s3: Any, bucket: str, request_id: str, files: Sequence[Original]) -> str:
    """Write a submit_batch message; a long list of files goes into an object that the message names."""
    return json.dumps(
        {
            "type": "submit_batch",
            "version": 1,
            "request_id": request_id,
            "model": MODEL,
            "analysis_types": ["combined"],
            "metadata": {"requested_by": "demo"},
            **_source(s3, bucket, request_id, [_entry(original) for original in files]),
        }
    )


def _source(s3: Any, bucket: str, request_id: str, listed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(listed) <= FILES_IN_A_MESSAGE:
        return {"files": listed}
    key = f"lists/{request_id}.jsonl"
    s3.put_object(Bucket=bucket, Key=key, Body="".join(json.dumps(each) + "\n" for each in listed))
    return {"files_from": {"list": f"s3://{bucket}/{key}"}}


def _entry(original: Original) -> dict[str, Any]:
    context = {"path": f"demo/{original.key.partition('/')[0]}", "uploaded_as": original.name}
    return {"file_id": original.file_id, "s3_key": original.key, "context": context}
