"""What the gauges show of the store, read in a few statements."""

from collections.abc import Mapping

from sqlalchemy import Connection, func, select

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store.database import Database
from daemon.adapters.tables import chunks, findings, job_open, jobs, models
from daemon.clock import Clock
from schemas.models import ModelTable

Values = dict[tuple[str, ...], float]
WAITING = (ChunkState.PLANNED, ChunkState.PREPARING, ChunkState.READY)


class StoreFigures:
    """Values by metric and label values; slot-seconds that stayed empty add up from one look to the next."""

    def __init__(self, database: Database, table: ModelTable, clock: Clock) -> None:
        self._database = database
        self._limits = {model.base_model: model.slots for model in table.models}
        self._clock = clock
        self._looked_at: float | None = None
        self._idle: Values = {}

    def read(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Read everything once."""
        with self._database.read() as connection:
            states = _count(connection, chunks.c.base_model, chunks.c.state)
            used = _count(connection, jobs.c.base_model, where=job_open)
            found = _count(connection, findings.c.kind)
            paused = _paused(connection, self._clock)
        used = {(name,): used.get((name,), 0.0) for name in self._limits} | used
        self._add_idle(states, used, {model for model, _ in paused})
        return {
            "chunks": {(state, model): count for (model, state), count in states.items()},
            "slots_used": used,
            "slots_limit": {(name,): float(limit) for name, limit in self._limits.items()},
            "slot_idle_seconds_total": self._idle,
            "paused": paused,
            "findings": found,
        }

    def _add_idle(self, states: Values, used: Values, resting: set[str]) -> None:
        """Count slots as empty since the last look as far as chunks wait for them now."""
        now = self._clock.monotonic()
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        idle = dict(self._idle)
        for name, limit in self._limits.items():
            waiting = 0.0 if name in resting else sum(states.get((name, state), 0.0) for state in WAITING)
            empty = max(0.0, min(limit - used.get((name,), 0.0), waiting))
            idle[name,] = idle.get((name,), 0.0) + empty * passed
        self._idle = idle


def _count(connection: Connection, *columns: object, where: object = True) -> Values:
    asked = select(*columns, func.count()).where(where).group_by(*columns)  # type: ignore[call-overload]
    return {tuple(map(str, row[:-1])): float(row[-1]) for row in connection.execute(asked)}


def _paused(connection: Connection, clock: Clock) -> Values:
    """Name the models at rest; ``*`` stands for all."""
    asked = select(models.c.model, models.c.paused_at, models.c.blocked_until)
    values: Values = {}
    for row in connection.execute(asked):
        if row.paused_at is not None:
            values[row.model, "paused"] = 1.0
        if row.blocked_until is not None and row.blocked_until > clock.now():
            values[row.model, "blocked"] = 1.0
    return values
