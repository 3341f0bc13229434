"""The port to what a reparse writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from consumers.core import rows
from consumers.core.lifecycle import BatchState


class Reparsing(Protocol):
    """Results made anew from raw lines, under the lease of an ended batch: nobody else writes its records."""

    def begin_reparse(self, held: rows.Held) -> None:
        """Begin a reparse, unless one is under way."""

    def rejudge(
        self, held: rows.Held, records: Sequence[rows.JudgedRecord], chunk_id: str | None = None
    ) -> int:
        """Store what records came to when they were judged again; returns how many changed.

        Tokens, cost, time and prompt version stay. In the same transaction the attempts that count are chosen
        again, the changes are counted in the reparse, and what the chunk's part came to is forgotten: it is
        older than its records.
        """

    def pass_chunk(self, held: rows.Held, chunk_id: str, records: int, left: Sequence[str]) -> None:
        """Note that a chunk is through: how many of its records were read, and what stays as it was."""

    def links(self, batch_id: str, after: int) -> Sequence[rows.Link]:
        """Return a page of the records of a batch whose results are another's, from behind a position."""

    def end_reparse(
        self,
        held: rows.Held,
        changes: int,
        state: BatchState,
        reason: str,
        done: rows.Reparse,
        now: datetime,
    ) -> bool:
        """End a reparse as ``done``: what it changed makes a new revision, which ends as its counts say.

        Not if the batch moved since ``changes`` was read.
        """
