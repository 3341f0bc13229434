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

    def is_due(self, timer: str, every: timedelta, now: datetime) -> bool:
        """Tell whether something is to be done again, and note that it is done now; one caller is told so."""
