"""The result lines of a batch: one per file and analysis type, as `results` prints them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from consumers.core.cost import money
from schemas.analyses import Registry
from schemas.documents import ResultError, ResultLine, ResultOutcome

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One stored record with its file; a file that never became a record has `analysis_type` None.

    `file_id` is as the sender wrote it (an integer stays one), `kind` is `video` or `image`, `outcome` an
    Outcome or REFUSED.
    """

    batch_id: str
    request_id: str
    file_id: int | str
    bucket: str
    s3_key: str
    kind: str
    outcome: str
    created_at: datetime
    etag: str | None = None
    analysis_type: str | None = None
    result: dict[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    record_id: str | None = None
    attempt: int | None = None
    repaired: bool = False
    reused_from: str | None = None
    stop_reason: str | None = None
    model_id: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None


def lines_of(row: ResultRow, analyses: Registry) -> Iterator[ResultLine]:
    """Turn one record into its lines: a composed one with a result into a line per part.

    Tokens and cost stand on the first line only, so that the sum of all lines is the bill.
    """
    line = _line(row)
    parts = analyses.parts_of(row.analysis_type or "", row.kind)
    if row.result is None or not parts:
        yield line
        return
    for part in parts:
        yield {**line, "analysis_type": part, "result": row.result.get(part)}
        line |= {"input_tokens": None, "output_tokens": None, "cost_usd": None}


def _line(row: ResultRow) -> ResultLine:
    return {
        "schema_version": SCHEMA_VERSION,
        "batch_id": row.batch_id,
        "request_id": row.request_id,
        "file_id": row.file_id,
        "bucket": row.bucket,
        "s3_key": row.s3_key or None,
        "etag": row.etag,
        "analysis_type": row.analysis_type,
        "outcome": cast(ResultOutcome, str(row.outcome)),
        "result": row.result,
        "error": _error(row),
        "record_id": row.record_id,
        "attempt": row.attempt,
        "repaired": row.repaired,
        "reused_from": row.reused_from,
        "stop_reason": row.stop_reason,
        "model_id": row.model_id,
        "prompt_version": row.prompt_version,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": money(row.cost_usd),
        "created_at": _instant(row.created_at),
    }


def _error(row: ResultRow) -> ResultError | None:
    if row.error_code is None and row.error_message is None:
        return None
    return {"code": row.error_code, "message": row.error_message}


def _instant(moment: datetime) -> str:
    """Write a moment in UTC with Z; one without a zone is UTC already."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")
