"""Examples of what comes back."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.core import layout
from daemon.contract.examples import BATCH, CHUNK, FILE, REQUEST, Body
from schemas.documents import (
    Accepted,
    BatchFinished,
    ChunkFinished,
    Manifest,
    Refused,
    ResultLine,
    Summary,
    Written,
    outcomes,
)
from schemas.outcomes import Outcome

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RECORDS = outcomes({Outcome.SUCCEEDED: 148, Outcome.TRUNCATED: 1, Outcome.FILTERED: 1})

ACCEPTED: Accepted = {
    "version": 1,
    "batch_id": BATCH,
    "request_id": REQUEST,
    "files": 151,
    "refused": 1,
    "reused": 0,
    "chunks": 1,
    "estimate_usd": "1.2375",
    "expected_end": "2026-01-05T11:02:14Z",
}
REFUSED: Refused = {
    "version": 1,
    "request_id": REQUEST,
    "error_code": "invalid_message",
    "error_message": 'Unknown field "filez": remove it or correct its name.',
}
CHUNK_FINISHED: ChunkFinished = {
    "version": 1,
    "batch_id": BATCH,
    "request_id": REQUEST,
    "chunk_id": CHUNK,
    "state": "COMPLETED",
    "part_uri": layout.s3_uri("media", layout.part_key(BATCH, 0)),
    "counts": RECORDS,
}
SUMMARY: Summary = {
    "version": 1,
    "batch_id": BATCH,
    "request_id": REQUEST,
    "revision": 1,
    "state": "COMPLETED_WITH_ERRORS",
    "reason": "1 record FILTERED, 1 file REFUSED",
    "counts": {"files": 151, "refused": 1, "records": 150, "reused": 0, **RECORDS},
    "tokens": {"input": 1_830_000, "output": 96_000},
    "cost_usd": "0.43395",
}
FINISHED: BatchFinished = {
    **SUMMARY,
    "manifest_uri": layout.s3_uri("media", layout.manifest_json_key(BATCH)),
}
LINES: Written = {"key": layout.results_key(BATCH), "lines": 744, "bytes": 812_004, "sha256": SHA256}
MANIFEST: Manifest = {
    **SUMMARY,
    "round": 0,
    "padding_usd": "0",
    "superseded_usd": "0",
    "results": LINES,
    "superseded": None,
    "forgotten": None,
    "parts": [{**LINES, "chunk_id": CHUNK, "key": layout.part_key(BATCH, 0)}],
}
LINE: ResultLine = {
    "schema_version": 1,
    "batch_id": BATCH,
    "request_id": REQUEST,
    "file_id": FILE["file_id"],
    "bucket": "media",
    "s3_key": FILE["s3_key"],
    "etag": "9b2cf535f27731c974343645a3985328",
    "analysis_type": "summary",
    "outcome": "SUCCEEDED",
    "result": {"summary": "A family swims in a pool."},
    "error": None,
    "record_id": "file-22153:combined",
    "attempt": 1,
    "repaired": False,
    "reused_from": None,
    "stop_reason": "end_turn",
    "model_id": "us.amazon.nova-2-lite-v1:0",
    "prompt_version": "0a1b2c3d4e5f",
    "input_tokens": 12_200,
    "output_tokens": 640,
    "cost_usd": "0.002893",
    "created_at": "2026-01-05T11:41:07Z",
}
REFUSED_LINE: ResultLine = {
    **LINE,
    "file_id": "notes",
    "s3_key": "proxy_video/notes.txt",
    "etag": None,
    "analysis_type": None,
    "outcome": "REFUSED",
    "result": None,
    "error": {"code": "format", "message": "The file is no video or image that the model reads."},
    "record_id": None,
    "attempt": None,
    "stop_reason": None,
    "prompt_version": None,
    "input_tokens": None,
    "output_tokens": None,
    "cost_usd": None,
}


def _event(name: str, detail: Any) -> Body:
    return {"source": "novabatch", "detail-type": name, "time": "2026-01-05T11:42:00Z", "detail": detail}


OUTGOING: Mapping[str, Sequence[Any]] = {
    "batch_accepted": (_event("Batch Accepted", ACCEPTED),),
    "batch_refused": (
        _event("Batch Refused", REFUSED),
        _event("Batch Refused", {**REFUSED, "batch_id": BATCH, "error_code": "budget_exceeded"}),
    ),
    "chunk_finished": (_event("Chunk Finished", CHUNK_FINISHED),),
    "batch_finished": (_event("Batch Finished", FINISHED),),
    "result_line": (LINE, REFUSED_LINE),
    "manifest": (MANIFEST,),
}
