"""The audit as it can be read."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from consumers.core.cost import money
from daemon.adapters.store.database import Database
from daemon.adapters.tables import audit
from daemon.adapters.views.values import instant, words


class AuditViews:
    """Who did what."""

    database: Database

    def audit(self, since: datetime | None, batch_id: str | None, limit: int) -> dict[str, Any]:
        """Describe the last entries since a time, of a batch or of all, oldest first."""
        asked = select(audit)
        if since is not None:
            asked = asked.where(audit.c.at >= since)
        if batch_id is not None:
            asked = asked.where(audit.c.batch_id == batch_id)
        with self.database.read() as connection:
            rows = connection.execute(asked.order_by(audit.c.id.desc()).limit(limit)).all()
        return {"entries": [_entry(row) for row in reversed(rows)]}


def _entry(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "time": instant(row.at),
        "actor": row.actor,
        "verb": row.verb,
        "phase": row.phase,
        "target": row.target,
        "batch_id": row.batch_id,
        "requested_by": row.requested_by,
        "objects": row.objects,
        "bytes": row.bytes,
        "cost_usd": money(row.cost_usd),
        "detail": words(row.detail),
    }
