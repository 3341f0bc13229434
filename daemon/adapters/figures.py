"""What the gauges show of the store, read in a few statements."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from sqlalchemy import Connection, and_, func, select

from consumers.core.gate import ALL_MODELS
from consumers.core.lifecycle import BatchState
from consumers.core.stops import OWN_BUDGET
from consumers.core.world import Policy
from consumers.wake import room_for
from daemon.adapters.store import SqlStore
from daemon.adapters.store.leases import is_held
from daemon.adapters.tables import batches, chunk_starts, chunks, days, findings, job_open, jobs, models
from daemon.clock import Clock
from schemas.facts import FINDING_KINDS
from schemas.models import Model, ModelTable

HOUR = 3600.0
BY_BUDGET = batches.c.stopped.contains(OWN_BUDGET, autoescape=True)
STOPPED = {
    "no": batches.c.stopped == "",
    "budget": BY_BUDGET,
    "other": and_(batches.c.stopped != "", ~BY_BUDGET),
}
"""Whether buying for a batch was stopped, and by what."""
Values = dict[tuple[str, ...], float]


class StoreFigures:
    """Values by metric and label values.

    A look also notes the models whose free slots nobody wants, so that the next job does not count its slot
    as empty before that.
    """

    def __init__(self, store: SqlStore, table: ModelTable, policy: Policy, clock: Clock) -> None:
        self._store = store
        self._table = table
        self._models = {model.base_model: model for model in table.models}
        self._policy = policy
        self._clock = clock
        self._idle: dict[str, float] = dict.fromkeys(self._models, 0.0)

    def read(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Read everything once."""
        with self._store.database.read() as connection:
            states = _count(connection, chunks.c.base_model, chunks.c.state)
            standing = _standing(connection)
            used = _count(connection, jobs.c.base_model, where=job_open)
            found = _count(connection, findings.c.kind)
            held = _count(connection, chunks.c.base_model, where=chunk_starts & is_held(chunks))
            paused = _paused(connection, self._clock)
            oldest = _oldest(connection, self._clock)
            today = _committed(connection, self._clock)
        used = {(name,): used.get((name,), 0.0) for name in self._models} | used
        resting = {model for model, _ in paused}
        for name, model in self._models.items():
            is_shut = bool(resting & {name, ALL_MODELS})
            if used[name,] < model.slots and (is_shut or not ((name,) in held or self._is_wanted(model))):
                self._store.nobody_waits(name, self._clock.now())
        return {
            "batches": standing,
            "chunks": {(state, model): count for (model, state), count in states.items()},
            "slots_used": used,
            "slots_limit": {(name,): float(model.slots) for name, model in self._models.items()},
            "slot_idle_seconds_total": self._idle_seconds(),
            "job_oldest_seconds": dict.fromkeys(used, 0.0) | oldest,
            "job_timeout_seconds": {(): self._policy.job_timeout_hours * HOUR},
            "day_committed_usd": {(): today},
            "day_budget_usd": self._day_budget(),
            **_dates(self._table, self._clock),
            "paused": paused,
            "findings": {(kind,): 0.0 for kind in FINDING_KINDS} | found,
        }

    def _is_wanted(self, model: Model) -> bool:
        """Tell whether a chunk that nobody works on could go on now."""
        return bool(self._store.next_up(model.id, room_for(model, self._policy), self._clock.now()))

    def _day_budget(self) -> Values:
        limit = self._policy.budget_usd_per_day
        return {} if limit is None else {(): float(limit)}

    def _idle_seconds(self) -> Values:
        """Return the sums; a job's time corrected by Bedrock's word must not make a counter fall."""
        for name, seconds in self._store.idle_seconds().items():
            self._idle[name] = max(seconds, self._idle.get(name, 0.0))
        return {(name,): seconds for name, seconds in self._idle.items()}


def _dates(table: ModelTable, clock: Clock) -> Mapping[str, Values]:
    """Return when models end and when their prices were last known to be right, where that is known."""
    today = clock.now().astimezone(UTC).date()
    prices = {model.id: model.price_on(today) for model in table.models}
    return {
        "model_end_timestamp_seconds": {(m.id,): _begin(m.ends_on) for m in table.models if m.ends_on},
        "price_timestamp_seconds": {
            (name,): _begin(price.known_on) for name, price in prices.items() if price
        },
    }


def _begin(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _count(connection: Connection, *columns: object, where: object = True) -> Values:
    asked = select(*columns, func.count()).where(where).group_by(*columns)  # type: ignore[call-overload]
    return {tuple(map(str, row[:-1])): float(row[-1]) for row in connection.execute(asked)}


def _standing(connection: Connection) -> Values:
    """Count batches by state and by what stopped them."""
    values: Values = {(state.value, why): 0.0 for state in BatchState for why in STOPPED}
    for why, where in STOPPED.items():
        counted = _count(connection, batches.c.state, where=where)
        values |= {(state, why): count for (state,), count in counted.items()}
    return values


def _oldest(connection: Connection, clock: Clock) -> Values:
    asked = select(jobs.c.base_model, func.min(jobs.c.claimed_at)).where(job_open).group_by(jobs.c.base_model)
    now = clock.now()
    return {(model,): (now - claimed).total_seconds() for model, claimed in connection.execute(asked)}


def _committed(connection: Connection, clock: Clock) -> float:
    today = clock.now().astimezone(UTC).date().isoformat()
    return float(connection.execute(select(days.c.committed_usd).where(days.c.day == today)).scalar() or 0)


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
