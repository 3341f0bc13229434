"""Result lines read back: what `results.jsonl` and the parts tell becomes records again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby

import msgspec

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.restored import KeptResult

NOTHING = msgspec.Raw(b"null")


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Line(msgspec.Struct):
    file_id: int | str
    bucket: str
    s3_key: str | None
    outcome: str
    created_at: datetime
    etag: str | None = None
    analysis_type: str | None = None
    result: msgspec.Raw = NOTHING
    error: _Error | None = None
    record_id: str | None = None
    attempt: int | None = None
    repaired: bool = False
    reused_from: str | None = None
    stop_reason: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None

    @property
    def record(self) -> tuple[str | None, int | str, int | None]:
        """Tell the lines of one record from those of others."""
        return self.record_id, self.file_id, self.attempt


_DECODER = msgspec.json.Decoder(_Line)


def kept_results(lines: Iterable[bytes]) -> Iterator[KeptResult]:
    """Read result lines back; those of a composed record, one behind the other, become one result again.

    Raises Rejected for a line that no version of ours has written.
    """
    for _, parts in groupby(map(_decoded, filter(None, lines)), key=lambda line: line.record):
        yield _result(list(parts))


def _decoded(line: bytes) -> _Line:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, ValueError) as error:
        raise Rejected(f"this is no result line: {error}: {line[:100]!r}", "invalid_results") from error


def _result(parts: list[_Line]) -> KeptResult:
    first = parts[0]
    name = layout.parse_record_id(first.record_id) if first.record_id else None
    error = first.error or _Error()
    return KeptResult(
        file_id=name.file_id if name else str(first.file_id),
        bucket=first.bucket,
        s3_key=first.s3_key or "",
        outcome=first.outcome,
        created_at=first.created_at,
        etag=first.etag,
        analysis_type=name.analysis_type if name else None,
        attempt=first.attempt,
        result=_whole(parts, name.analysis_type if name else ""),
        error_code=error.code,
        error_message=error.message,
        repaired=first.repaired,
        reused_from=first.reused_from,
        stop_reason=first.stop_reason,
        prompt_version=first.prompt_version or "",
        input_tokens=first.input_tokens,
        output_tokens=first.output_tokens,
        cost_usd=first.cost_usd,
    )


def _whole(parts: list[_Line], analysis_type: str) -> str | None:
    """Return the answer of a record: that of its only line, or its parts by their names."""
    told = {part.analysis_type: bytes(part.result) for part in parts}
    found = {name: result for name, result in told.items() if result != NOTHING}
    if not found:
        return None
    if set(found) == {analysis_type}:
        return found[analysis_type].decode()
    return "{" + ",".join(f'"{name}":{result.decode()}' for name, result in found.items()) + "}"
