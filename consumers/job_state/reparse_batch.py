"""reparse_batch: make an ended batch's results anew from the raw lines that were kept, and buy nothing."""

from dataclasses import replace

from consumers.attempts import attempt
from consumers.core.lifecycle import BATCH_ENDS
from consumers.core.rows import Batch, Held, Leased, Part, Reparse
from consumers.core.world import Done, Later, Outcome, Refuse, World, done
from consumers.job_state.ending import end_of_batch
from consumers.job_state.report import finished_event, write_report
from consumers.job_state.rereading import Reread, reread_chunk, reread_links
from consumers.naming import gone_by_age, named_batch, stored_batch
from consumers.parts import write_part
from schemas.facts import BatchReparsed
from schemas.messages import ReparseBatch

HELD = 15.0  # seconds; nobody else would carry out a person's wish


def reparse_batch(message: ReparseBatch, world: World) -> Outcome:
    """Judge every raw line of an ended batch by the analyses as they are now.

    What was bought stays as it was priced. A result that changed makes a new revision; where none did, the
    sender hears of the old one again. What is cut short goes on where it was.
    """
    batch = named_batch(message, world)
    if isinstance(batch, Refuse):
        return batch
    if batch.state not in BATCH_ENDS:
        return _not_ended(batch)
    if batch.results_removed_at is not None:
        return Refuse("results_removed", gone_by_age(batch))
    held = world.hold(Leased.BATCH, batch.batch_id)
    if held is None:
        return Later(HELD, f"batch {batch.batch_id} is being worked on")
    return attempt(held, "reparse", world, lambda: _reparse(batch.batch_id, held, world))


def _not_ended(batch: Batch) -> Outcome:
    """Refuse; one that was retried in the middle of a reparse goes on when it has ended again."""
    if batch.reparse is not None and batch.reparse.next is not None:
        return Done()
    why = f"batch {batch.batch_id} is {batch.state}: wait for its end, or cancel it, then reparse it."
    return Refuse("batch_not_ended", why)


def _reparse(batch_id: str, held: Held, world: World) -> Outcome:
    batch = stored_batch(batch_id, world)
    if batch.state not in BATCH_ENDS:
        return _not_ended(batch)
    if batch.results_removed_at is not None:
        return Refuse("results_removed", gone_by_age(batch))
    world.store.begin_reparse(held)
    first = _under_way(stored_batch(batch_id, world)).next or 0
    for part in world.store.parts(batch_id):
        if part.index >= first:
            _make_anew(part, held, world)
    return _end(batch_id, held, reread_links(batch_id, held, world), world)


def _make_anew(part: Part, held: Held, world: World) -> None:
    """Read one chunk again; its part is written where it is older than its records."""
    chunk = world.store.chunk(part.chunk_id)
    if chunk is None or not (chunk.job or chunk.output_uri):
        return
    read = reread_chunk(chunk, held, world)
    if read.changed or part.written is None:
        write_part(chunk, held, world)
    world.store.pass_chunk(held, chunk.chunk_id, read.records, read.left)


def _end(batch_id: str, held: Held, links: Reread, world: World) -> Outcome:
    """Write the results if they changed, then the revision, then send the event.

    A batch that moved meanwhile, by output read late, settles first.
    """
    batch = stored_batch(batch_id, world)
    so_far, unread = _under_way(batch), world.store.unread_chunks(batch_id)
    left = [*links.left, *(f"chunk {each}: its output could not be read yet" for each in unread)]
    whole = replace(
        so_far,
        next=None,
        records=so_far.records + links.records,
        left=so_far.left + len(left),
        why_left=(*so_far.why_left, *left),
        ended_at=world.now,
    )
    count = world.store.count(batch_id)
    state, reason = end_of_batch(batch, count)
    if whole.changed:
        write_report(replace(batch, revision=batch.revision + 1), count, state, reason, world)
    if not world.store.end_reparse(held, batch.changes, state, reason, whole, world.now):
        return Done()
    ended = stored_batch(batch_id, world)
    fact = BatchReparsed(batch_id, ended.revision, whole.records, whole.changed, whole.left)
    return done([fact], [finished_event(ended, count, world)])


def _under_way(batch: Batch) -> Reparse:
    return batch.reparse or Reparse()
