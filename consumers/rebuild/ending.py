"""The last steps of a restored batch: what is reused, what counts, what had ended; then it goes on."""

from dataclasses import replace

from consumers.core import layout
from consumers.core.lifecycle import CHUNK_ENDS, BatchState, ChunkState
from consumers.core.restored import UNKNOWN, ChunkEnd, Standing
from consumers.core.rows import Held, NewFile
from consumers.core.world import World
from consumers.naming import stored_batch
from consumers.rebuild.kept import Kept, open_plan
from consumers.rebuild.parts import result_pages
from consumers.rebuild.plans import pages
from schemas.outcomes import Outcome

NOT_PREPARED = "It had ended without a job before its records were sent again; why went with the database."
OUTDONE = ChunkEnd(ChunkState.FAILED, NOT_PREPARED, Outcome.MISSING, "CHUNK_NOT_PREPARED", NOT_PREPARED)
NO_JOB = "The batch had ended before it had a job."
UNSENT = ChunkEnd(ChunkState.CANCELLED, NO_JOB, Outcome.CANCELLED, "CANCELLED", NO_JOB)
LOST_RESULT = "The result that was to be reused for it is gone: retry the batch."
NO_OUTPUT = "Its job left nothing that was stored."
UNREAD = ChunkEnd(ChunkState.FAILED, NO_OUTPUT, Outcome.MISSING, "JOB_FAILED", NO_OUTPUT)


def end_restoring(kept: Kept, held: Held, standing: Standing, world: World) -> BatchState:
    """Bring a batch to where it stood; returns its state."""
    for chunk_id in world.store.outdone_chunks(held.id):
        world.checkpoint()
        world.store.restore_end(held, chunk_id, OUTDONE)
    if standing.round:
        world.store.choose_restored(held)
    if standing.end is not None and _is_restored(held, world):
        _take_results(kept, held, world)
        _end_chunks(held, world)
    return world.store.end_restoring(held, standing, world.now)


def link_reused(kept: Kept, held: Held, world: World) -> int:
    """Link what is reused, now that all results are there; returns how many results are lost.

    A file that has nothing else is REFUSED then, so that a retry looks at it again.
    """
    _, entries = open_plan(layout.plan_key(kept.batch_id), world)
    lost = 0
    for page in pages(each for each in entries if isinstance(each, NewFile) and each.reused):
        world.checkpoint()
        files = [each for each in page if isinstance(each, NewFile)]
        world.store.restore_files(held, files)
        there = world.store.files_at(held.id, [file.position for file in files])
        linked = {file.position: file.reused.keys() for file in there}
        lost += sum(len(file.reused.keys() - linked[file.position]) for file in files)
        bare = [file for file in files if not linked[file.position] and _needs_nothing(file)]
        world.store.renew_files(held, [replace(file, code=UNKNOWN, reason=LOST_RESULT) for file in bare])
    return lost


def _needs_nothing(file: NewFile) -> bool:
    return file.reused.keys() == set(file.analysis_types)


def _is_restored(held: Held, world: World) -> bool:
    """Tell whether a batch is being restored, not only added to."""
    return stored_batch(held.id, world).state is BatchState.PLANNING


def _take_results(kept: Kept, held: Held, world: World) -> None:
    """Take in what an ended batch told: attempts that count no more, then what counts."""
    if kept.has("superseded"):
        lines = world.objects.lines(layout.superseded_key(kept.batch_id))
        for page in result_pages(line for _, line in lines):
            world.checkpoint()
            world.store.restore_part(held, "", page)
    if kept.has("results"):
        lines = world.objects.lines(layout.results_key(kept.batch_id))
        for page in result_pages(line for _, line in lines):
            world.checkpoint()
            world.store.restore_current(held, page)


def _end_chunks(held: Held, world: World) -> None:
    """End the chunks of an ended batch of which nothing was stored; what they left is told already."""
    for chunk_id, state in world.store.chunk_ids(held.id):
        if state not in CHUNK_ENDS:
            world.checkpoint()
            chunk = world.store.chunk(chunk_id)
            has_job = chunk is not None and chunk.job is not None
            world.store.restore_end(held, chunk_id, UNREAD if has_job else UNSENT)
