"""Messages as they are sent, events as they come back: each is held against parser and schema by a test."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.core import layout

Body = dict[str, Any]

BATCH = "b0123456789abcdef0123"
CHUNK = f"{BATCH}-000"
REQUEST = "catalog-2026-01-05-a"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcd01234567"
FOLDER = "job_20260105_100214_b01234_000"
FILE: Body = {
    "file_id": 22153,
    "s3_key": "proxy_video/Video Nov 14 2025, 10 02 14 AM_22153_720p15.mov",
    "size_bytes": 73400320,
    "local_path": "proxies/22153.mov",
    "context": {"path": "Smith/pool", "duration_seconds": 61},
}
REQUEST_OF_FILES: Body = {
    "type": "submit_batch",
    "version": 1,
    "request_id": REQUEST,
    "model": "nova-2-lite",
    "analysis_types": ["combined"],
    "options": {"summary_depth": "standard", "language": "auto", "max_tokens": 4096, "reuse": "same"},
    "files": [FILE, {"file_id": "img-7", "s3_key": "proxy_image/IMG_0007.jpg", "bucket": "other-media"}],
    "priority": 0,
    "budget_usd": "25.00",
    "metadata": {"requested_by": "catalog"},
}
LEAST: Body = {
    "request_id": "r-1",
    "model": "nova-2-lite",
    "files": [{"file_id": 1, "s3_key": "proxy_video/a.mov"}],
}
EVENT: Body = {
    "version": "0",
    "id": "0f0e0d0c-0b0a-0908-0706-050403020100",
    "detail-type": "Batch Inference Job State Change",
    "source": "aws.bedrock",
    "account": "123456789012",
    "time": "Mon Jan 05 11:40:02 UTC 2026",
    "region": "us-east-1",
    "resources": [ARN],
    "detail": {
        "accountId": "123456789012",
        "batchJobName": "novabatch-b01234-000-5f2a9c",
        "batchJobArn": ARN,
        "status": "Completed",
        "failureMessage": None,
    },
}

INCOMING: Mapping[str, Sequence[Body]] = {
    "submit_batch": (
        REQUEST_OF_FILES,
        LEAST,
        {
            "request_id": "archive-2025",
            "model": "us.amazon.nova-2-lite-v1:0",
            "files_from": {"prefix": "proxy_video/2025/", "suffixes": [".mov", ".mp4"]},
            "options": {"language": "pt-BR", "temperature": 0.2, "top_p": 1, "reuse": "never"},
            "budget_usd": 140,
        },
        {"request_id": "a-list", "model": "nova-lite", "files_from": {"list": "s3://media/lists/a.jsonl"}},
    ),
    "cancel_batch": (
        {"type": "cancel_batch", "request_id": REQUEST},
        {"type": "cancel_batch", "batch_id": BATCH},
    ),
    "retry_batch": ({"type": "retry_batch", "request_id": REQUEST, "revision": 1},),
    "plan_batch": ({"type": "plan_batch", "batch_id": BATCH},),
    "submit_chunk": ({"type": "submit_chunk", "chunk_id": CHUNK},),
    "ingest_chunk": ({"type": "ingest_chunk", "chunk_id": CHUNK},),
    "settle_batch": ({"type": "settle_batch", "batch_id": BATCH},),
    "forget_file": ({"type": "forget_file", "batch_id": BATCH, "position": 4},),
    "reparse_batch": ({"type": "reparse_batch", "batch_id": BATCH},),
    "adopt_job": (
        {"type": "adopt_job", "source": ARN},
        {
            "type": "adopt_job",
            "source": layout.s3_uri("media", f"{layout.OUTPUT_ROOT}abcd01234567/"),
            "model": "nova-2-lite",
        },
    ),
    "reconcile": ({"type": "reconcile"},),
    "cleanup_chunk": ({"type": "cleanup_chunk", "chunk_id": CHUNK},),
    "cleanup_batch": ({"type": "cleanup_batch", "request_id": REQUEST, "dry_run": True},),
    "sweep": ({"type": "sweep", "older_than_days": 7, "dry_run": True}, {"type": "sweep", "after": CHUNK}),
    "cleanup_unowned": ({"type": "cleanup_unowned", "folder": FOLDER},),
    "cleanup_legacy": ({"type": "cleanup_legacy", "place": "batch_input_20250101.jsonl"},),
    "remove_raw": ({"type": "remove_raw", "older_than_days": 90, "after": BATCH},),
    "remove_results": ({"type": "remove_results", "older_than_days": 365, "after": BATCH},),
    "remove_rows": ({"type": "remove_rows", "older_than_days": 730},),
    "job_state_change": (EVENT,),
}
