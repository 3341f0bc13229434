"""The port to what has lain for long."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from consumers.core import rows


class Aging(Protocol):
    """What has lain for long."""

    def cleanable(self, before: datetime, limit: int, after: str = "") -> Sequence[str]:
        """Return ended chunks not cleaned, whose end lies before a time, by id, beginning after one."""

    def owner_of(self, folder: str) -> str | None:
        """Return the chunk that a folder belongs to."""

    def reader_of(self, uri: str) -> str | None:
        """Return a chunk that is to be read from a place, or from one above or below it, and is not yet."""

    def raw_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch, by id, that ended before a time and has its raw lines yet.

        Not one with output that could not be read so far.
        """

    def raw_removed(self, held: rows.Held, now: datetime) -> None:
        """Store that the raw lines of the held batch are gone."""

    def results_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch, by id, that ended before a time and has what it left in S3 yet.

        Only one whose output is read, whose folders are clean, and that nobody reparses or forgets from.
        """

    def results_removed(self, held: rows.Held, now: datetime) -> None:
        """Store that what the held batch left in S3 is gone, raw lines too."""

    def rows_kept(self, before: datetime, after: str = "") -> str | None:
        """Return the next batch that ended before a time and has its rows yet, its results being gone."""

    def sum_up(self, held: rows.Held) -> None:
        """Keep what the held batch came to, once: from now on it is told by that."""

    def remove_rows(self, held: rows.Held) -> int:
        """Delete a page of the held batch's files with their records; returns how many, 0 at the end."""

    def rows_removed(self, held: rows.Held, now: datetime) -> None:
        """Store that the rows are gone, and take the files out of the request; it is still known again."""

    def is_due(self, timer: str, every: timedelta, now: datetime) -> bool:
        """Tell whether something is to be done again, and note that it is done now; one caller is told so."""
