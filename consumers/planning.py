"""Putting a plan to S3 before the first of its jobs, once and for ever."""

from collections.abc import Iterable
from contextlib import suppress

from consumers.core import layout
from consumers.core.faults import Changed
from consumers.core.plan import plan_lines
from consumers.core.rows import Batch, NewChunk
from consumers.core.world import World


def put_plan(batch: Batch, round: int, chunks: Iterable[NewChunk], world: World) -> None:
    """Write a round's plan.

    The first one stands for ever: it tells a lost database that the batch was planned. A later one is written
    before its round is stored, and again if that run was cut short.
    """
    key = layout.plan_key(batch.batch_id, round)
    with suppress(Changed):
        _put(key, batch, chunks, world, if_absent=round == 0)


def put_split_plan(batch: Batch, index: int, chunks: Iterable[NewChunk], world: World) -> None:
    """Write the plan of the chunks that take the place of one; before they are stored, as for a round."""
    _put(layout.split_plan_key(batch.batch_id, index), batch, chunks, world, if_absent=False)


def _put(key: str, batch: Batch, chunks: Iterable[NewChunk], world: World, *, if_absent: bool) -> None:
    request = world.store.request_of(batch.batch_id)
    lines = plan_lines(request, chunks, world.policy.job_name_prefix, batch.batch_id)
    with world.objects.writer(key, content_type="application/jsonl", if_absent=if_absent) as out:
        for line in lines:
            world.checkpoint()
            out.write(line)
