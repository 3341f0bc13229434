"""How long slots stand empty although chunks wait for them.

Each job keeps since when its slot was free for it, by Bedrock's own times of ends: an end that was learned
of late counts from when it was. The sum over jobs needs nobody who watches at the right moment.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Double, case, func, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from consumers.core.gate import Room
from daemon.adapters.store.database import Database
from daemon.adapters.tables import chunks, job_ended, jobs, models
from schemas.models import base_model


class _seconds_between(FunctionElement[float]):  # noqa: N801 - reads as a function in statements
    """The seconds from the first moment to the second."""

    type = Double()
    inherit_cache = True


@compiles(_seconds_between, "postgresql")
def _postgres(element: Any, compiler: Any, **more: Any) -> str:
    first, second = (compiler.process(each, **more) for each in element.clauses)
    return f"extract(epoch from {second} - {first})::float8"


@compiles(_seconds_between, "sqlite")
def _sqlite(element: Any, compiler: Any, **more: Any) -> str:
    first, second = (compiler.process(each, **more) for each in element.clauses)
    return f"((julianday({second}) - julianday({first})) * 86400.0)"


class Idling:
    """Empty slots, added up."""

    database: Database

    def idle_seconds(self) -> Mapping[str, float]:
        """Return, by base model, the slot-seconds that passed between a slot's freedom and its next job."""
        waited = _seconds_between(jobs.c.free_since, jobs.c.submitted_at)
        asked = select(jobs.c.base_model, func.sum(case((waited > 0, waited), else_=0.0)))
        asked = asked.where(jobs.c.free_since.is_not(None), jobs.c.submitted_at.is_not(None))
        with self.database.read() as connection:
            found = connection.execute(asked.group_by(jobs.c.base_model))
            return {row[0]: float(row[1]) for row in found}

    def nobody_waits(self, model: str, now: datetime) -> None:
        """Note that the free slots of a model are wanted by nobody up to now."""
        with self.database.once() as connection:
            row = update(models).where(models.c.model == base_model(model))
            connection.execute(row.values(unwanted_at=now))


def free_since(connection: Connection, chunk_id: str, jobs_open: int, room: Room) -> datetime:
    """Return since when the slot that a chunk takes now was free for it.

    Since the job ended that had it (of all free slots the one that is free longest), but not before the
    chunk was there, nor before the last look that found nobody who could have taken it.
    """
    freed = (
        select(jobs.c.ended_at)
        .where(jobs.c.base_model == chunks.c.base_model, job_ended)
        .order_by(jobs.c.ended_at.desc())
        .offset(max(0, room.slots - jobs_open - 1))
        .limit(1)
        .scalar_subquery()
    )
    asked = select(chunks.c.created_at, models.c.unwanted_at, freed)
    asked = asked.join(models, models.c.model == chunks.c.base_model)
    times = connection.execute(asked.where(chunks.c.chunk_id == chunk_id)).one()
    known: list[datetime] = [time for time in times if time is not None]
    return max(known)
