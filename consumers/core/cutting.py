"""From files and the records they need to chunks: the one place where a chunk is put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.core import layout
from consumers.core.chunks import Cut, Limits, Piece
from consumers.core.names import Named, safe_names
from consumers.core.rows import Batch, NewChunk, NewRecord
from consumers.core.world import Policy
from schemas.models import Model


@dataclass(frozen=True, slots=True)
class Item:
    """A file with the records that are still to be bought for it."""

    position: int
    file_id: str
    s3_key: str
    bytes: int
    records: tuple[NewRecord, ...]

    def piece(self) -> Piece:
        """Return what the splitting needs to know."""
        return Piece(self.position, self.bytes, len(self.records))


def limits(policy: Policy, model: Model) -> Limits:
    """Return what a chunk may hold: the settings', within the model's own limits."""
    return Limits(
        max_files=policy.max_files_per_chunk,
        max_bytes=min(policy.max_chunk_bytes, model.max_job_bytes),
        min_records=model.min_records,
        max_records=model.max_records,
    )


def chunk(batch: Batch, mine: Sequence[Item], cut: Cut, index: int, round: int, since: datetime) -> NewChunk:
    """Make one chunk of the items that a cut covers; it waits since then.

    The folder carries the batch's time: the same input gives the same folder, for ever.
    """
    names = safe_names([Named(item.s3_key, item.file_id) for item in mine])
    return NewChunk(
        chunk_id=layout.chunk_id(batch.batch_id, index),
        index=index,
        round=round,
        model=batch.model,
        folder=layout.folder_name(batch.created_at, batch.batch_id, index),
        priority=batch.terms.priority,
        bytes=cut.bytes,
        padding=cut.padding,
        safe_names={item.position: named.name for item, named in zip(mine, names, strict=True)},
        records=tuple(record for item in mine for record in item.records),
        created_at=since,
    )


def chunks(
    batch: Batch, items: Sequence[Item], cuts: Sequence[Cut], first_index: int, round: int, since: datetime
) -> list[NewChunk]:
    """Make the chunks of several cuts, numbered from ``first_index``; items and cuts lie in order."""
    new, begin = [], 0
    for n, cut in enumerate(cuts):
        end = begin
        while end < len(items) and items[end].position < cut.last_exclusive:
            end += 1
        new.append(chunk(batch, items[begin:end], cut, first_index + n, round, since))
        begin = end
    return new
