"""The audit: rows that are only ever added; the database itself refuses to change or delete one."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert

from consumers.core.rows import Deed, Phase, Verb
from daemon.adapters.store.database import Database
from daemon.adapters.tables import audit

MOST = 500
_ADD = insert(audit)


class Auditing:
    """Who did what; ``actor`` is who works with this store."""

    database: Database
    actor: str

    def intend(self, deed: Deed) -> None:
        """Note that something outside is about to be done."""
        self._add(deed, Phase.INTENT)

    def came_of(self, deed: Deed) -> None:
        """Note what came of it."""
        self._add(deed, Phase.OUTCOME)

    def _add(self, deed: Deed, phase: Phase) -> None:
        with self.database.once() as connection:
            add_entry(connection, self.actor, deed, phase)


def note(connection: Connection, actor: str, verb: Verb, target: str, **more: Any) -> None:
    """Note a deed within the transaction that does it."""
    add_entry(connection, actor, Deed(verb, target, **more), Phase.DONE)


def add_entry(connection: Connection, actor: str, deed: Deed, phase: Phase) -> None:
    """Add an entry, by the clock of this machine; long words are cut."""
    values = {name: value[:MOST] if type(value) is str else value for name, value in asdict(deed).items()}
    connection.execute(_ADD, {"at": datetime.now(UTC), "actor": actor, "phase": phase, **values})
