"""forget_file: let nothing be left of a file of an ended batch, and make sure of it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from consumers.attempts import attempt
from consumers.cleanup.emptying import empty
from consumers.cleanup.late import came_late
from consumers.core import layout
from consumers.core.faults import PassingFault
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.retention import is_settling, refusal_to_clean
from consumers.core.rows import Batch, Chunk, Deed, Held, Leased, Leaving, Verb
from consumers.core.world import Later, Outcome, Refuse, World, done
from consumers.forgetting.rewriting import drop_older, has_report, rewrite
from consumers.forgetting.traces import traces
from consumers.job_state.report import finished_event, write_report
from consumers.naming import stored_batch
from schemas.facts import ChunkCleaned, Fact, FilesForgotten
from schemas.messages import ForgetFile

HELD = 15.0  # seconds; nobody else would carry out a person's wish
SETTLES = 900.0
TOLD = 5


def forget_file(message: ForgetFile, world: World) -> Outcome:
    """Blank the file's rows, empty the folders it lay in, write without it what was stored, then look.

    All of the batch that is the same object goes with it. Only when nothing of it is found any more the
    batch has its next revision; what is cut short goes on where it was.
    """
    batch = world.store.batch(message.batch_id)
    if batch is None:
        return Refuse("unknown_batch", f"batch {message.batch_id} is not in the store")
    if batch.state not in BATCH_ENDS:
        why = f"batch {batch.batch_id} is {batch.state}: wait for its end, or cancel it, then forget it."
        return Refuse("batch_not_ended", why)
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Later(HELD, f"batch {batch.batch_id} is being worked on")
    return attempt(held, "forget", world, lambda: _forget(message, held, world))


def _forget(message: ForgetFile, held: Held, world: World) -> Outcome:
    batch = stored_batch(held.id, world)
    if batch.state not in BATCH_ENDS:
        return Later(HELD, f"batch {held.id} was opened again")
    if (outcome := _not_yet(message, batch, world)) is not None:
        return outcome
    leaving = world.store.begin_forgetting(held, message.position, world.now)
    if not leaving:
        return done(then=[finished_event(batch, world.store.count(held.id), world)])
    cleaned = [fact for chunk in _chunks(leaving, world) for fact in _clean(chunk, world)]
    rewrite(held.id, leaving, held, world)
    if has_report(held.id, world):
        anew = replace(batch, revision=batch.revision + 1)
        write_report(anew, world.store.count(held.id), batch.state, batch.reason, world)
    drop_older(held.id, world)
    if left := list(islice(traces(batch, leaving, world), TOLD)):
        raise PassingFault(f"of a file that is to be forgotten there is left: {'; '.join(left)}")
    if not world.store.end_forgetting(held, batch.changes):
        return Later(HELD, f"batch {held.id} moved meanwhile")
    ended = stored_batch(held.id, world)
    facts: list[Fact] = [*cleaned, FilesForgotten(held.id, ended.revision, len(leaving))]
    return done(facts, [finished_event(ended, world.store.count(held.id), world)])


def _not_yet(message: ForgetFile, batch: Batch, world: World) -> Outcome | None:
    """Answer for a batch whose output is not all read, or into whose folders Bedrock may still write."""
    if message.position is None:
        return None
    for chunk_id in world.store.chunks_holding(batch.batch_id, message.position):
        chunk = world.store.chunk(chunk_id)
        if chunk is None or chunk.cleaned_at is not None:
            continue
        if is_settling(chunk, world.now):
            return Later(SETTLES, f"Bedrock may still write into the folder of chunk {chunk_id}")
        if why := refusal_to_clean(chunk):
            return Refuse("output_unread", f"file {message.position} cannot be forgotten yet: {why}")
        if late := came_late(chunk, world):
            why = f"{late} answers of chunk {chunk_id} came late and are read first: clean the batch"
            return Refuse("output_unread", why)
    return None


def _chunks(leaving: Sequence[Leaving], world: World) -> list[Chunk]:
    """Return the chunks that held the files and are not known to be clean."""
    ids = sorted({chunk_id for each in leaving for chunk_id in each.chunk_ids})
    found = (world.store.chunk(chunk_id) for chunk_id in ids)
    return [chunk for chunk in found if chunk is not None and chunk.cleaned_at is None]


def _clean(chunk: Chunk, world: World) -> list[Fact]:
    """Empty both folders of a chunk under its lease; its manifest and output tell of the file, too."""
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None or refusal_to_clean(chunk) or is_settling(chunk, world.now):
        raise PassingFault(f"chunk {chunk.chunk_id} is being worked on")
    deed = Deed(Verb.CLEAN_FOLDERS, chunk.chunk_id, chunk.batch_id, chunk.folder)
    emptied = empty(layout.temporary_prefixes(chunk.folder), deed, world)
    world.store.cleaned(held, emptied.objects, emptied.bytes, world.now)
    return [ChunkCleaned(chunk.chunk_id, emptied.objects, emptied.bytes)]
