"""What a plan file says: enough to have a batch again without the database.

`plan.jsonl` holds the first chunks, `plan-r<round>.jsonl` those of a later round, and `plan-s<NNN>.jsonl`
those that took the place of chunk NNN, which was too large and never had a job. The first line has the
request and what became of it, each other line a chunk or a file. A plan of an older version has neither
what became of the request nor files.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from consumers.core import layout
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import RECHECKED, Batch, NewChunk, NewFile

FORMAT = 2


class BatchEntry(msgspec.Struct, omit_defaults=True):
    """What became of the request when the plan was written.

    A round that opens an ended batch again is of the revision that begins with it.
    """

    batch_id: str
    model: str
    bucket: str
    created_at: datetime
    round: int
    revision: int
    retried: int = 0
    first_round: int = 0
    cursor: dict[str, Any] = {}
    format: int = msgspec.field(default=0, name="plan_format")


class FileEntry(msgspec.Struct, omit_defaults=True):
    """A file as it was planned; ``stored_as`` is its id where it shares the sender's with another file.

    Of a ``forgotten`` one only the place is told.
    """

    position: int
    file_id: int | str
    s3_key: str
    size_bytes: int
    kind: str
    analysis_types: tuple[str, ...]
    bucket: str = ""
    etag: str = ""
    tokens: int = 0
    stored_as: str = ""
    local_path: str | None = None
    code: str = ""
    reason: str = ""
    context: dict[str, Any] = {}
    reused: dict[str, str] = {}
    forgotten: bool = False


class ChunkEntry(msgspec.Struct, omit_defaults=True):
    """A chunk with everything that finds its job again, and what is sent in it."""

    chunk_id: str
    index: int
    round: int
    folder: str
    job_name: str
    padding: int
    files: dict[int, str]
    records: list[tuple[int, str, int, int]]
    bytes: int = 0
    estimate_usd: Decimal | None = None
    created_at: datetime | None = None
    output_uri: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan on its way to S3: whose it is, of which round, and what jobs are named by and read from."""

    batch: Batch
    round: int
    job_name_prefix: str
    jobs_bucket: str


def plan_lines(request: str, plan: Plan, entries: Iterable[NewChunk | NewFile]) -> Iterator[bytes]:
    r"""Write a plan, line by line, each with its ``\n``; the same plan gives the same bytes."""
    yield b'{"request":%b,"batch":%b}\n' % (request.encode(), msgspec.json.encode(_batch(plan)))
    for entry in entries:
        if isinstance(entry, NewChunk):
            yield msgspec.json.encode(_chunk(entry, plan)) + b"\n"
        else:
            yield b'{"file":%b}\n' % msgspec.json.encode(_file(entry, plan.batch.bucket))


def _batch(plan: Plan) -> BatchEntry:
    batch = plan.batch
    opens = batch.state in BATCH_ENDS
    return BatchEntry(
        batch_id=batch.batch_id,
        model=batch.model,
        bucket=batch.bucket,
        created_at=batch.created_at,
        round=plan.round,
        revision=batch.revision + opens,
        retried=batch.revision if opens else batch.retried,
        first_round=plan.round if opens else batch.first_round,
        cursor=_kept(batch.cursor),
        format=FORMAT,
    )


def _kept(cursor: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a cursor says of files that no chunk will ever hold, and of what was taken in."""
    return {name: cursor[name] for name in ("reason", "cut_short", "adopted") if cursor.get(name)}


def _chunk(chunk: NewChunk, plan: Plan) -> ChunkEntry:
    reads = layout.input_uri(plan.jobs_bucket, chunk.folder)
    return ChunkEntry(
        chunk_id=chunk.chunk_id,
        index=chunk.index,
        round=chunk.round,
        folder=chunk.folder,
        job_name=layout.job_name(plan.job_name_prefix, chunk.chunk_id, reads),
        padding=chunk.padding,
        files=dict(chunk.safe_names),
        records=[(r.position, r.analysis_type, r.attempt, r.max_tokens) for r in chunk.records],
        bytes=chunk.bytes,
        estimate_usd=chunk.estimate_usd,
        created_at=chunk.created_at,
        output_uri=chunk.output_uri,
    )


def _file(file: NewFile, bucket: str) -> FileEntry:
    """Return a file as the chunks of the plan have it: one found fine since is REFUSED no more."""
    code, reason = ("", "") if file.code == RECHECKED else (file.code, file.reason)
    return FileEntry(
        position=file.position,
        file_id=file.echo,
        s3_key=file.s3_key,
        size_bytes=file.size_bytes,
        kind=file.kind,
        analysis_types=file.analysis_types,
        bucket="" if file.bucket == bucket else file.bucket,
        etag=file.etag,
        tokens=file.tokens,
        stored_as="" if file.file_id == str(file.echo) else file.file_id,
        local_path=file.local_path,
        code=code,
        reason=reason,
        context=dict(file.context),
        reused=dict(file.reused),
        forgotten=file.forgotten,
    )
