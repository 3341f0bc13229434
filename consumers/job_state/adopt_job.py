"""adopt_job: take in the output of a finished job that was not created here; nothing is bought."""

from consumers.attempts import attempt
from consumers.core import layout
from consumers.core.foreign import ADOPTING, nothing_bought, request_id_of, request_of
from consumers.core.lifecycle import BATCH_ENDS, BatchState
from consumers.core.rows import Batch, Held, Leased, NewBatch
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.findings import find
from consumers.job_state.foreign_output import ForeignOutput, find_output
from consumers.job_state.foreign_pages import chunk_of, pages, take_page
from consumers.naming import stored_batch
from consumers.planning import put_plan
from schemas.facts import BatchAccepted, BatchPlanned, Fact, Ignored
from schemas.messages import AdoptJob, IngestChunk, SettleBatch, Terms


def adopt_job(message: AdoptJob, world: World) -> Outcome:
    """Store what output of others names, page by page, then have it read like that of a chunk of ours."""
    batch_id = layout.batch_id(request_id_of(message.source))
    batch = world.store.batch(batch_id)
    if batch is not None and batch.state is not BatchState.PLANNING:
        return done([Ignored("taken in already", message.source)], [_following(batch)])
    found = find_output(message, world)
    if isinstance(found, Refuse):
        return found
    new = world.store.accept(_new_batch(message, batch_id, found, world))
    facts = [BatchAccepted(batch_id, request_id_of(message.source), found.model)] if new else []
    held = world.hold(Leased.BATCH, batch_id)
    if held is None:
        return Done(tuple(facts))
    return attempt(held, "adopt", world, lambda: _adopt(message, held, found, [*facts], world))


def _following(batch: Batch) -> IngestChunk | SettleBatch:
    """Return what follows, the same each time it is asked."""
    if batch.state in BATCH_ENDS:
        return SettleBatch(batch_id=batch.batch_id)
    return IngestChunk(chunk_id=layout.chunk_id(batch.batch_id, 0))


def _new_batch(message: AdoptJob, batch_id: str, found: ForeignOutput, world: World) -> NewBatch:
    bucket = found.place.bucket
    terms = Terms(request_id=request_id_of(message.source), model=found.model, bucket=bucket)
    cursor = {"phase": ADOPTING, "adopted": message.source, "model": message.model}
    return NewBatch(batch_id, terms, found.model, bucket, request_of(terms), world.now, cursor)


def _adopt(message: AdoptJob, held: Held, found: ForeignOutput, facts: list[Fact], world: World) -> Outcome:
    """Take in what is left of the output, then let it be read. The plan in S3 names all of it."""
    batch = stored_batch(held.id, world)
    if batch.state is not BatchState.PLANNING:
        return done(facts, [_following(batch)])
    for page in pages(batch, found, world):
        world.checkpoint()
        take_page(batch, held, page, found, world)
    batch = stored_batch(held.id, world)
    put_plan(batch, world)
    why = nothing_bought(message.source)
    padding = int(batch.cursor.get("padding", 0))
    world.store.end_adopting(held, chunk_of(batch, found).chunk_id, padding, found.job, why, world.now)
    files = world.store.count(held.id).files
    told = [*facts, BatchPlanned(held.id, files, 0, 1), *_nameless(held.id, world)]
    return done(told, [_following(stored_batch(held.id, world))])


def _nameless(batch_id: str, world: World) -> list[Fact]:
    """Find the files of which no line tells where they lie."""
    count = sum(not file.s3_key for file in world.store.planned_files(batch_id))
    if not count:
        return []
    detail = f"the output names no S3 URI for {count} files: their results have the file_id alone"
    return [find("key_unknown", batch_id, detail, world)]
