"""Putting a plan to S3 before the first of its jobs, once and for ever."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from consumers.core import layout
from consumers.core.faults import Changed
from consumers.core.plan import Plan, plan_lines
from consumers.core.rows import Batch, NewChunk, NewFile
from consumers.core.world import World


def put_plan(batch: Batch, world: World) -> None:
    """Write the first plan of a batch: its chunks, then all of its files. It stands for ever.

    It also tells a lost database that the batch was planned.
    """
    with suppress(Changed):
        _put(layout.plan_key(batch.batch_id), batch, 0, _stored(batch, world), world, if_absent=True)


def put_round_plan(batch: Batch, round: int, chunks: Iterable[NewChunk], world: World) -> None:
    """Write the plan of a later round, before the round is stored; again if that run was cut short."""
    fine = world.store.rechecked_files(batch.batch_id)
    entries = chain(_with_files(batch, chunks, world), fine)
    _put(layout.plan_key(batch.batch_id, round), batch, round, entries, world, if_absent=False)


def put_split_plan(batch: Batch, index: int, round: int, chunks: Iterable[NewChunk], world: World) -> None:
    """Write the plan of the chunks that take the place of one; before they are stored, as for a round."""
    entries = _with_files(batch, chunks, world)
    _put(layout.split_plan_key(batch.batch_id, index), batch, round, entries, world, if_absent=False)


def _stored(batch: Batch, world: World) -> Iterator[NewChunk | NewFile]:
    yield from world.store.chunk_plans(batch.batch_id, 0)
    yield from world.store.planned_files(batch.batch_id)


def _with_files(batch: Batch, chunks: Iterable[NewChunk], world: World) -> Iterator[NewChunk | NewFile]:
    """Follow each chunk by its files as they are now: they may be measured anew, or REFUSED no more."""
    for chunk in chunks:
        yield chunk
        yield from world.store.files_at(batch.batch_id, chunk.safe_names)


def _put(
    key: str,
    batch: Batch,
    round: int,
    entries: Iterable[NewChunk | NewFile],
    world: World,
    *,
    if_absent: bool,
) -> None:
    request = world.store.request_of(batch.batch_id)
    plan = Plan(batch, round, world.policy.job_name_prefix, world.policy.bucket)
    with world.objects.writer(key, content_type="application/jsonl", if_absent=if_absent) as out:
        for line in plan_lines(request, plan, entries):
            world.checkpoint()
            out.write(line)
