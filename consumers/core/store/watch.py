"""The port to what should move, and what was found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from consumers.core import rows


class Watch(Protocol):
    """What the reconciler and the operators look at; and the notes rows keep of their troubles."""

    def failed(self, held: rows.Held, kind: str, why: str, now: datetime) -> int:
        """Count a failure of the held row by kind and set ``wake_after`` (doubling, to 1 h)."""

    def recovered(self, held: rows.Held, kind: str) -> None:
        """Count the held row's failures of a kind from nought; the row rests no more."""

    def open_jobs(self) -> Sequence[rows.OpenJob]:
        """Return the job rows that have not ended."""

    def waiting(self, now: datetime, limit: int) -> rows.Waiting:
        """Return rows that should move and that nobody holds, up to ``limit`` of each."""

    def models(self) -> Sequence[str]:
        """Return the models that have chunks not yet ended."""

    def find(self, kind: str, subject: str, detail: str, now: datetime) -> None:
        """Store a finding; the same kind and subject again only refreshes it."""

    def settled(self, kind: str, *subjects: str) -> None:
        """Forget findings, as far as there are any: what was found is so no more."""

    def forget_outlived(self, now: datetime) -> None:
        """Forget findings whose cause is gone: rows that failed and rest no more, jobs that are over, and
        models without a chunk on its way; and after a week what happened once and stays so.
        """
