"""A chunk whose job has ended, and the stage that reads its output, over a store and made-up objects."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from consumers.core.objects import Objects
from consumers.core.rows import Held, Leased
from consumers.core.world import Outcome, World
from consumers.job_state.ingest_chunk import ingest_chunk
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks, records
from schemas.analyses import REGISTRY
from schemas.messages import IngestChunk
from schemas.models import load_models
from tests.bench.planning import POLICY
from tests.contracts.planting import LONG, NOW, end_job, new_file, plant, submit
from tests.fakes.jobs import FakeJobs
from tests.fakes.local import FakeLocalMedia

FIRST_FILE = 1000


def ended_chunk(store: SqlStore, files: int) -> str:
    """Plant a chunk of files named 1000, 1001 and so on whose job has ended; returns its id."""
    assert new_file(0).file_id == str(FIRST_FILE)
    [chunk_id] = plant(store, files=files)
    submit(store, chunk_id)
    end_job(store, chunk_id)
    return chunk_id


def ingest(
    store: SqlStore,
    objects: Objects,
    chunk_id: str,
    checkpoint: Callable[[], None] = lambda: None,
    seconds: float = LONG,
) -> Outcome:
    """Handle an ``ingest_chunk`` as the worker would; leases last so long, and stay if the stage raises."""
    taken: list[Held] = []

    def hold(kind: Leased, id: str) -> Held | None:
        held = store.take(kind, id, seconds)
        taken.extend([held] if held else [])
        return held

    world = replace(world_over(store, objects), hold=hold, checkpoint=checkpoint)
    outcome = ingest_chunk(IngestChunk(chunk_id=chunk_id), world)
    for held in taken:
        store.release(held)
    return outcome


def world_over(store: SqlStore, objects: Objects) -> World:
    """Return a world that gives no lease and is never interrupted."""
    return World(
        now=NOW,
        policy=POLICY,
        models=load_models(),
        analyses=REGISTRY,
        store=store,
        objects=objects,
        jobs=FakeJobs(),
        local=FakeLocalMedia(),
        hold=lambda kind, id: None,
        checkpoint=lambda: None,
    )


def rows(store: SqlStore) -> list[tuple[Any, ...]]:
    """Return every record and every chunk, whole but for leases."""
    order = (records.c.position, records.c.analysis_type, records.c.attempt)
    told = [column for column in chunks.c if not column.name.startswith("lease_")]
    with store.database.read() as connection:
        found = [tuple(row) for row in connection.execute(select(records).order_by(*order))]
        return found + [tuple(row) for row in connection.execute(select(*told).order_by(chunks.c.chunk_id))]
