"""Inserting chunks with all that belongs to them, within a transaction of the caller's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from consumers.core.faults import Rejected
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import NewChunk, NewRecord
from daemon.adapters.store.database import insert_new
from daemon.adapters.tables import chunk_files, chunks, records
from schemas.models import base_model


def add_chunks(connection: Connection, batch_id: str, new: Sequence[NewChunk]) -> None:
    """Insert chunks with all that belongs to them. Raises Rejected where another chunk is in the way."""
    try:
        insert_new(connection, chunks, [_chunk_row(batch_id, chunk) for chunk in new])
    except IntegrityError as error:
        which = " to ".join(dict.fromkeys([new[0].chunk_id, new[-1].chunk_id]))
        why = f"a folder or number of {which} is taken by another chunk ({error.orig})"
        raise Rejected(f"{why}. Send the request again under a new request_id") from error
    placed = [
        {"chunk_id": chunk.chunk_id, "position": position, "safe_name": name}
        for chunk in new
        for position, name in chunk.safe_names.items()
    ]
    insert_new(connection, chunk_files, placed)
    insert_new(
        connection, records, [_record_row(batch_id, chunk, each) for chunk in new for each in chunk.records]
    )


def next_number(connection: Connection, batch_id: str) -> int:
    """Return the number that the next chunk of a batch gets."""
    last = select(func.max(chunks.c.number)).where(chunks.c.batch_id == batch_id)
    number = connection.execute(last).scalar_one()
    return 0 if number is None else int(number) + 1


def _chunk_row(batch_id: str, chunk: NewChunk) -> dict[str, Any]:
    return {
        "chunk_id": chunk.chunk_id,
        "batch_id": batch_id,
        "number": chunk.index,
        "round": chunk.round,
        "state": ChunkState.PLANNED,
        "model": chunk.model,
        "base_model": base_model(chunk.model),
        "folder": chunk.folder,
        "priority": chunk.priority,
        "files": len(chunk.safe_names),
        "records": len(chunk.records),
        "bytes": chunk.bytes,
        "padding": chunk.padding,
        "estimate_usd": chunk.estimate_usd,
        "output_uri": chunk.output_uri or None,
        "created_at": chunk.created_at,
        "failures": {},
    }


def _record_row(batch_id: str, chunk: NewChunk, record: NewRecord) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "position": record.position,
        "analysis_type": record.analysis_type,
        "attempt": record.attempt,
        "chunk_id": chunk.chunk_id,
        "max_tokens": record.max_tokens,
    }
