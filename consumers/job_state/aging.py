"""What has lain long enough: once a day the reconciler has it removed."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel

from consumers.core.world import World
from schemas.messages import RemoveRaw, RemoveResults, RemoveRows, Sweep

TIMER, EVERY = "aging", timedelta(days=1)


def aged(world: World) -> Iterator[tuple[str, BaseModel]]:
    """Name what one of the four times has run out for, with the message to send."""
    if not world.store.is_due(TIMER, EVERY, world.now):
        return
    days, raw_days = world.policy.retention_days, world.policy.raw_retention_days
    if world.store.cleanable(world.now - timedelta(days=days), 1):
        yield "sweep_due", Sweep(older_than_days=days)
    if world.store.raw_kept(world.now - timedelta(days=raw_days)) is not None:
        yield "raw_due", RemoveRaw(older_than_days=raw_days)
    yield from _unless_kept(world)


def _unless_kept(world: World) -> Iterator[tuple[str, BaseModel]]:
    """Look after results and rows, which stay unless a time is set for them."""
    result_days, row_days = world.policy.result_retention_days, world.policy.row_retention_days
    if result_days is not None and world.store.results_kept(world.now - timedelta(days=result_days)):
        yield "results_due", RemoveResults(older_than_days=result_days)
    if row_days is not None and world.store.rows_kept(world.now - timedelta(days=row_days)):
        yield "rows_due", RemoveRows(older_than_days=row_days)
