"""The port to the audit."""

from typing import Protocol

from consumers.core import rows


class Auditing(Protocol):
    """Who did what, only ever added to. What changes rows is noted with them; this is for effects outside."""

    def intend(self, deed: rows.Deed) -> None:
        """Note that something outside is about to be done."""

    def came_of(self, deed: rows.Deed) -> None:
        """Note what came of it."""
