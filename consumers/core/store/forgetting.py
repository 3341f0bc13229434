"""The port to what is forgotten."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from consumers.core import rows
from consumers.core.lines import ResultRow


class Forgetting(Protocol):
    """Files that leave an ended batch, under its lease."""

    def chunks_holding(self, batch_id: str, position: int) -> Sequence[str]:
        """Return the chunks of a batch that a file was put into."""

    def begin_forgetting(
        self, held: rows.Held, position: int | None, now: datetime
    ) -> Sequence[rows.Leaving]:
        """Blank the rows of a file, and of all of the batch that are the same object; return who leaves.

        What must be known until nothing is left of them is kept apart until ``end_forgetting``. Tokens, cost
        and outcomes stay without a name. Those that are leaving already are returned again, without a
        position they alone; none where all of them have left.
        """

    def end_forgetting(self, held: rows.Held, changes: int) -> bool:
        """Forget the names of all that are leaving, and begin the next revision of the batch.

        Not if a chunk of it ended since ``changes`` was read.
        """

    def forgotten_rows(self, batch_id: str) -> Iterator[ResultRow]:
        """Stream what the lines of forgotten files are made of: all attempts, without what was found."""

    def said_before(self, batch_id: str, request: str) -> bool:
        """Tell whether a batch was accepted with this very request, whatever is left of it."""
