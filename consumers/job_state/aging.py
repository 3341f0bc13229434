"""What has lain long enough: once a day the reconciler has it removed."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel

from consumers.core.world import World
from schemas.messages import RemoveRaw, Sweep

TIMER, EVERY = "aging", timedelta(days=1)


def aged(world: World) -> Iterator[tuple[str, BaseModel]]:
    """Name what RETENTION_DAYS and RAW_RETENTION_DAYS have run out for, with the message to send."""
    if not world.store.is_due(TIMER, EVERY, world.now):
        return
    days, raw_days = world.policy.retention_days, world.policy.raw_retention_days
    if world.store.cleanable(world.now - timedelta(days=days), 1):
        yield "sweep_due", Sweep(older_than_days=days)
    if world.store.raw_kept(world.now - timedelta(days=raw_days)) is not None:
        yield "raw_due", RemoveRaw(older_than_days=raw_days)
