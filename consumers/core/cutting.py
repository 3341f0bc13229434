"""From files and the records they need to chunks: the one place where a chunk is put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from consumers.core import layout
from consumers.core.chunks import Cut, Limits, Piece
from consumers.core.cost import cost
from consumers.core.forecast import key_tokens, prompt_tokens
from consumers.core.manifest import LONGEST_LINE, MAX_MANIFEST_BYTES, PADDING_TEXT
from consumers.core.media import media_of
from consumers.core.names import Named, safe_names
from consumers.core.rows import Batch, NewChunk, NewRecord
from consumers.core.tokens import text_tokens
from consumers.core.world import Policy
from schemas.analyses import Registry
from schemas.models import Model

PADDING_TOKENS = text_tokens(len(PADDING_TEXT))


@dataclass(frozen=True, slots=True)
class Item:
    """A file with the records that are still to be bought for it.

    ``tokens`` is what the model reads of the file (media and context) for each of them.
    """

    position: int
    file_id: str
    s3_key: str
    bytes: int
    records: tuple[NewRecord, ...]
    tokens: int = 0

    def piece(self) -> Piece:
        """Return what the splitting needs to know."""
        return Piece(self.position, self.bytes, len(self.records))


class Tokens(NamedTuple):
    """Tokens the model reads and writes."""

    input: int
    output: int


def limits(policy: Policy, model: Model) -> Limits:
    """Return what a chunk may hold: the settings', within the model's own limits.

    So many records make no manifest that Bedrock refuses, however long each of their lines is.
    """
    return Limits(
        max_files=policy.max_files_per_chunk,
        max_bytes=min(policy.max_chunk_bytes, model.max_job_bytes),
        min_records=model.min_records,
        max_records=max(model.min_records, min(model.max_records, MAX_MANIFEST_BYTES // LONGEST_LINE)),
    )


@dataclass(frozen=True, slots=True)
class Cutter:
    """Makes a batch's chunks, each with the most it may cost at the prices of ``day``."""

    batch: Batch
    model: Model
    analyses: Registry
    day: date

    def chunk(self, mine: Sequence[Item], cut: Cut, index: int, round: int, since: datetime) -> NewChunk:
        """Make one chunk of the items that a cut covers; it waits since then.

        The folder carries the batch's time: the same input gives the same folder, for ever.
        """
        names = safe_names([Named(item.s3_key, item.file_id) for item in mine])
        return NewChunk(
            chunk_id=layout.chunk_id(self.batch.batch_id, index),
            index=index,
            round=round,
            model=self.batch.model,
            folder=layout.folder_name(self.batch.created_at, self.batch.batch_id, index),
            priority=self.batch.terms.priority,
            bytes=cut.bytes,
            padding=cut.padding,
            safe_names={item.position: named.name for item, named in zip(mine, names, strict=True)},
            records=tuple(record for item in mine for record in item.records),
            created_at=since,
            estimate_usd=self.estimate(mine, cut.padding),
        )

    def chunks(
        self, items: Sequence[Item], cuts: Sequence[Cut], first_index: int, round: int, since: datetime
    ) -> list[NewChunk]:
        """Make the chunks of several cuts, numbered from ``first_index``; items and cuts lie in order."""
        new, begin = [], 0
        for n, cut in enumerate(cuts):
            end = begin
            while end < len(items) and items[end].position < cut.last_exclusive:
                end += 1
            new.append(self.chunk(items[begin:end], cut, first_index + n, round, since))
            begin = end
        return new

    def estimate(self, mine: Sequence[Item], padding: int) -> Decimal | None:
        """Return the most that the items' records and the padding may cost; None without a price."""
        tokens = self.tokens(mine, padding)
        return cost(self.model, tokens.input, tokens.output, self.day)

    def tokens(self, mine: Sequence[Item], padding: int) -> Tokens:
        """Add up the most that the items' records and the padding may take."""
        read, written = padding * PADDING_TOKENS, padding
        asked: Counter[tuple[str, str]] = Counter()
        for item in mine:
            media = media_of(item.s3_key)
            read += len(item.records) * (item.tokens + key_tokens(item.s3_key))
            written += sum(record.max_tokens for record in item.records)
            asked.update((record.analysis_type, media.kind) for record in item.records if media)
        return Tokens(read + self._prompts(asked), written)

    def _prompts(self, asked: Counter[tuple[str, str]]) -> int:
        options = self.batch.terms.options
        found = ((self.analyses.find(*kind), count) for kind, count in asked.items())
        return sum(prompt_tokens(analysis, options) * count for analysis, count in found if analysis)
