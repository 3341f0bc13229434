"""Reading a plan file back: the request with what became of it, its chunks, its files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from consumers.core import layout
from consumers.core.faults import Rejected
from consumers.core.plan import BatchEntry, ChunkEntry, FileEntry
from consumers.core.rows import NewBatch, NewChunk, NewFile, NewRecord
from schemas.messages import Terms


@dataclass(frozen=True, slots=True)
class PlanHead:
    """What a plan says of its batch.

    ``cursor`` tells of files that no chunk will ever hold. ``names_files`` is False in a plan of an older
    version: its chunks name files by their places only.
    """

    batch: NewBatch
    round: int
    revision: int
    retried: int
    first_round: int
    cursor: Mapping[str, Any]
    names_files: bool


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk of a plan, with the name its job was to have."""

    chunk: NewChunk
    job_name: str


Entry = PlannedChunk | NewFile


class _Head(msgspec.Struct):
    request: msgspec.Raw
    batch: BatchEntry | None = None


class _FileLine(msgspec.Struct):
    file: FileEntry


_HEAD = msgspec.json.Decoder(_Head)
_CHUNK = msgspec.json.Decoder(ChunkEntry)
_FILE = msgspec.json.Decoder(_FileLine)


def read_plan(lines: Iterable[bytes]) -> tuple[PlanHead, Iterator[Entry]]:
    """Read a plan; its entries come one by one. Raises Rejected for a line that no plan has."""
    rest = _numbered(lines)
    number, line = next(rest, (1, b""))
    try:
        told = _HEAD.decode(line)
        terms = _terms(told.request)
    except (msgspec.DecodeError, ValueError) as error:
        raise Rejected(f"line {number} is no beginning of a plan: {error}", "invalid_plan") from error
    first, rest = _peeked(rest)
    head = _head(terms, bytes(told.request).decode(), told.batch, first)
    return head, _entries(rest, head)


def _terms(request: msgspec.Raw) -> Terms:
    fields: dict[str, Any] = json.loads(bytes(request))
    return Terms.model_validate({name: fields[name] for name in fields.keys() - {"files", "files_from"}})


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line)


def _peeked(rest: Iterator[tuple[int, bytes]]) -> tuple[bytes, Iterator[tuple[int, bytes]]]:
    """Look at the next line and leave it where it is."""
    first = next(rest, None)
    if first is None:
        return b"", rest
    return first[1], _again(first, rest)


def _again(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    yield first
    yield from rest


def _head(terms: Terms, request: str, told: BatchEntry | None, first: bytes) -> PlanHead:
    batch_id = layout.batch_id(terms.request_id)
    known = told or BatchEntry(batch_id, terms.model, terms.bucket or "", _time_of(first), 0, 1)
    batch = NewBatch(batch_id, terms, known.model, known.bucket, request, known.created_at)
    return PlanHead(
        batch,
        known.round,
        known.revision,
        known.retried,
        known.first_round,
        known.cursor,
        names_files=told is not None,
    )


def _time_of(line: bytes) -> datetime:
    """Tell from the folder of a plan's first chunk when its batch was accepted; 1970 without a chunk."""
    found = json.loads(line) if line else {}
    folder = str(found.get("folder", "job_19700101_000000"))
    return datetime.strptime("".join(folder.split("_")[1:3]), "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _entries(rest: Iterator[tuple[int, bytes]], head: PlanHead) -> Iterator[Entry]:
    for number, line in rest:
        try:
            is_file = line.startswith(b'{"file":')
            yield _file(_FILE.decode(line).file, head) if is_file else _chunk(_CHUNK.decode(line), head)
        except (msgspec.DecodeError, ValueError) as error:
            raise Rejected(f"line {number} is no chunk and no file: {error}", "invalid_plan") from error


def _chunk(told: ChunkEntry, head: PlanHead) -> PlannedChunk:
    if layout.parse_chunk_id(told.chunk_id) != (head.batch.batch_id, told.index):
        raise ValueError(f"{told.chunk_id} is no chunk {told.index} of batch {head.batch.batch_id}")
    layout.input_prefix(told.folder)
    chunk = NewChunk(
        chunk_id=told.chunk_id,
        index=told.index,
        round=told.round,
        model=head.batch.model,
        folder=told.folder,
        priority=head.batch.terms.priority,
        bytes=told.bytes,
        padding=told.padding,
        safe_names=told.files,
        records=tuple(NewRecord(*record) for record in told.records),
        created_at=told.created_at or head.batch.created_at,
        estimate_usd=told.estimate_usd,
        output_uri=told.output_uri,
    )
    return PlannedChunk(chunk, told.job_name)


def _file(told: FileEntry, head: PlanHead) -> NewFile:
    return NewFile(
        position=told.position,
        file_id=told.stored_as or str(told.file_id),
        echo=told.file_id,
        bucket=told.bucket or head.batch.bucket,
        s3_key=told.s3_key,
        size_bytes=told.size_bytes,
        etag=told.etag,
        kind=told.kind,
        local_path=told.local_path,
        context=told.context,
        analysis_types=told.analysis_types,
        code=told.code,
        reason=told.reason,
        tokens=told.tokens,
        reused=told.reused,
        forgotten=told.forgotten,
    )
