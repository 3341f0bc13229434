"""The first part of a plan: read the files of a batch, judge them, and store them page by page."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from consumers.core.faults import Archived, Changed, Missing, Rejected
from consumers.core.rows import Batch, Held, NewFile
from consumers.core.world import World
from consumers.findings import find
from consumers.submit.judging import judge_files
from consumers.submit.reusing import reuse
from consumers.submit.sources import Page, pages
from schemas.facts import Fact, FilesDecided
from schemas.messages import SubmitBatch


def read_files(batch: Batch, held: Held, world: World) -> Iterator[list[Fact]]:
    """Store the batch's files from its cursor on; each page is a step of its own.

    A source that cannot be read ends the plan, with the reason.
    """
    request = SubmitBatch.model_validate_json(world.store.request_of(batch.batch_id))
    first = int(batch.cursor.get("next", 0))
    source = pages(request, batch.bucket, batch.cursor.get("at", {}), first, world.objects)
    while True:
        try:
            page = next(source, None)
        except (Missing, Changed, Archived, Rejected) as fault:
            yield _give_up(batch, held, f"the files could not be read: {fault.message}", world)
            return
        if page is None:
            return
        yield _store(batch, page, held, world)


def _store(batch: Batch, page: Page, held: Held, world: World) -> list[Fact]:
    known = partial(world.store.planned_ids, batch.batch_id)
    files = reuse(batch, judge_files(batch, page.files, page.first, known, world), world)
    cursor: Mapping[str, Any] = {"phase": "read", "next": page.first + len(files), "at": page.at}
    if page.at is None:
        cursor = {"phase": "cut", "first": 0, "index": 0}
    world.store.plan_files(held, files, cursor)
    return list(decided(batch, files))


def decided(batch: Batch, files: Sequence[NewFile]) -> Iterator[Fact]:
    """Tell what was decided about files."""
    refused = sum(1 for file in files if file.code)
    reused = sum(1 for file in files if file.reused and len(file.reused) == len(file.analysis_types))
    counts = {"planned": len(files) - refused - reused, "reused": reused, "refused": refused}
    yield from (FilesDecided(batch.batch_id, outcome, count) for outcome, count in counts.items() if count)


def _give_up(batch: Batch, held: Held, why: str, world: World) -> list[Fact]:
    """End the plan without a chunk; the batch will say why."""
    world.store.plan_files(held, (), {"phase": "finish", "reason": why})
    return [find("plan_failed", batch.batch_id, why, world)]
