"""Losing the database of a simulation, wholly or back to a former state, and having it again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import insert, select

from consumers.core.rows import Held
from consumers.core.world import World
from consumers.rebuild import Rebuilt, rebuild
from daemon.adapters.tables import metadata
from tests.databases import delete_rows
from tests.stages.simulation import Crash, Simulation

Backup = Mapping[str, Sequence[Mapping[str, Any]]]


def backup(sim: Simulation) -> Backup:
    """Return every row as it is now."""
    with sim.store.engine.connect() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


def lose_database(sim: Simulation, saved: Backup | None = None) -> None:
    """Leave a new, migrated database, or what a backup holds, and no message that is still on its way."""
    with sim.store.engine.begin() as connection:
        delete_rows(connection)
        for table in metadata.sorted_tables:
            if rows := (saved or {}).get(table.name):
                connection.execute(insert(table), list(rows))
    sim.queue.clear()
    sim.later.clear()


def restore(sim: Simulation) -> Rebuilt:
    """Rebuild, again if the process dies, then let one pass of the reconciler send what follows."""
    try:
        told = rebuild(lambda: desk(sim))
    except Crash:
        told = rebuild(lambda: desk(sim))
    sim.reconcile()
    return told


@contextmanager
def desk(sim: Simulation) -> Iterator[World]:
    sim.at_work = "rebuild"
    taken: list[Held] = []
    try:
        yield sim.world(taken)
    finally:
        for held in taken:
            sim.store.release(held)


def lose_and_restore(sim: Simulation, saved: Backup | None = None) -> Rebuilt:
    lose_database(sim, saved)
    return restore(sim)


def known_of(sim: Simulation, batch_id: str) -> tuple[object, ...]:
    """Return what a person may see of a batch: where it stands, what it came to, all that it holds."""
    batch = sim.batch(batch_id)
    chunks = [sim.store.chunk(chunk_id) for chunk_id, _ in sim.store.chunk_ids(batch_id)]
    return (
        (batch.request_id, batch.terms.analysis_types, batch.model, batch.created_at, batch.budget_usd),
        (batch.state, batch.reason, batch.revision, batch.retried, batch.round, batch.first_round),
        (batch.committed_usd, batch.canary, sim.store.request_of(batch_id)),
        sim.store.count(batch_id),
        list(sim.store.planned_files(batch_id)),
        [(each.chunk_id, each.state, each.files, each.records, each.padding) for each in chunks if each],
        [each.bytes for each in chunks if each],
        [(each.job.name, each.job.arn, each.job.status) for each in chunks if each and each.job],
        list(sim.store.result_rows(batch_id)),
    )
