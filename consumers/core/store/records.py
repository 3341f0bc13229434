"""The port to the outcomes of records."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from consumers.core import rows
from consumers.core.layout import RecordName

SavePage = Callable[[Sequence[rows.JudgedRecord]], None]


class Records(Protocol):
    """The outcomes of records."""

    def sent_as(self, chunk_id: str, names: Sequence[RecordName]) -> Mapping[RecordName, rows.SentAs]:
        """Look up a page of records by their names; those that the chunk did not send are left out."""

    def save(self, held: rows.Held, records: Sequence[rows.JudgedRecord], now: datetime) -> None:
        """Store outcomes of a chunk's records in one transaction; the same again changes nothing."""

    def saving(self, held: rows.Held, now: datetime) -> AbstractContextManager[SavePage]:
        """Give a way to ``save`` page after page that need not wait for the page before.

        What was wrong with a page is raised by the next one, or at the end; by then all pages are stored.
        """

    def close_records(self, held: rows.Held, outcome: str, code: str, message: str, now: datetime) -> int:
        """Give every record of the chunk that has no outcome this one; returns how many there were.

        A page of files a transaction: cut short and done again it comes to the same.
        """

    def save_padding(self, held: rows.Held, spent: rows.Spent) -> None:
        """Store what the chunk's padding cost."""

    def outcomes(self, chunk_id: str) -> Mapping[tuple[str, str], int]:
        """Count a chunk's records by (analysis_type, outcome)."""

    def answered(self, chunk_id: str) -> rows.Answered:
        """Count a chunk's records by whether the output has a line for them."""

    def spent(self, chunk_id: str) -> rows.Spent:
        """Sum what a chunk came to: its records and its padding."""

    def bought(self, chunk_id: str) -> rows.Spent:
        """Sum what a chunk's records came to, without its padding."""

    def reusable(
        self,
        batch: rows.Batch,
        prompt_versions: Mapping[tuple[str, str], str],
        files: Sequence[rows.NewFile],
    ) -> Mapping[tuple[int, str], str]:
        """Find SUCCEEDED results for the same bucket, key, ETag, type and prompt version.

        Model and options are the batch's. ``prompt_versions`` is by (kind, analysis type); the answer, by
        position and type, is ``<batch_id>/<position>/<analysis_type>/<attempt>``.
        """
