"""ingest_chunk: read the output of an ended job once, store every record's outcome, end the chunk."""

from consumers.core import layout
from consumers.core.faults import Changed, Denied, Fault, Missing, PassingFault
from consumers.core.lifecycle import CHUNK_ENDS, ChunkState, JobStatus
from consumers.core.rows import Chunk, Held, Leased
from consumers.core.world import Done, Later, Outcome, Refuse, World, done
from consumers.endings import after_end, end_chunk, fail_chunk
from consumers.job_state.output import read_output
from consumers.parts import write_part
from schemas.facts import Fact, MoneySpent, RecordsJudged
from schemas.messages import IngestChunk
from schemas.outcomes import Outcome as RecordOutcome

NO_LINE = "The job's output holds no line for this record."
MISSING_CODES = {
    JobStatus.EXPIRED: "JOB_EXPIRED",
    JobStatus.STOPPED: "JOB_STOPPED",
    JobStatus.FAILED: "JOB_FAILED",
}


def ingest_chunk(message: IngestChunk, world: World) -> Outcome:
    """Store what a job brought, whatever its terminal state; a chunk that is through changes no more."""
    chunk = world.store.chunk(message.chunk_id)
    if chunk is None:
        return Refuse("unknown_chunk", f"chunk {message.chunk_id} is not in the store")
    if not _may_ingest(chunk):
        return done(then=after_end(chunk, world) if chunk.state in CHUNK_ENDS else ())
    held = world.hold(Leased.CHUNK, chunk.chunk_id)
    if held is None:
        return Done()
    chunk = world.store.chunk(message.chunk_id) or chunk
    return _ingest(chunk, held, world) if _may_ingest(chunk) else done(then=after_end(chunk, world))


def _may_ingest(chunk: Chunk) -> bool:
    """Tell whether output is waiting: the job ended, or its output could not be read before."""
    unread = chunk.state is ChunkState.FAILED and bool(chunk.failures.get("fetch"))
    return chunk.state is ChunkState.ENDED or unread


def _ingest(chunk: Chunk, held: Held, world: World) -> Outcome:
    try:
        found = _read(chunk, held, world)
    except (PassingFault, Denied, Changed, Missing) as fault:
        return _not_read(chunk, held, fault, world)
    if not found:
        reason = (chunk.job.message if chunk.job else "") or f"the job ended {_status(chunk)} without output"
        return _ended(fail_chunk(chunk, held, _missing_code(chunk), reason, world), chunk, world)
    world.store.close_records(held, RecordOutcome.MISSING, _missing_code(chunk), NO_LINE, world.now)
    write_part(chunk, world)
    return _ended(end_chunk(chunk, held, ChunkState.COMPLETED, "", world), chunk, world)


def _read(chunk: Chunk, held: Held, world: World) -> bool:
    """Read the output; raises Missing where a Completed job should have left one."""
    found = read_output(chunk, held, world)
    if not found and chunk.job is not None and chunk.job.status is JobStatus.COMPLETED:
        raise Missing(f"the job Completed, but {layout.output_prefix(chunk.folder)} is empty")
    return found


def _not_read(chunk: Chunk, held: Held, fault: Fault, world: World) -> Outcome:
    """Count the failure; after the allowed ones the records are MISSING but never bought again."""
    count = world.store.failed(held, "fetch", fault.message, world.now)
    if chunk.state is ChunkState.FAILED:
        return Done()
    if count <= world.policy.fetch_max_retries:
        return Later(5 * 2**count, fault.message)
    reason = f"the output could not be read {count} times, the last time: {fault.message}"
    return _ended(fail_chunk(chunk, held, "RESULT_FETCH_FAILED", reason, world), chunk, world)


def _status(chunk: Chunk) -> str:
    return chunk.job.status.value if chunk.job and chunk.job.status else "unknown"


def _missing_code(chunk: Chunk) -> str:
    status = chunk.job.status if chunk.job else None
    return MISSING_CODES.get(status, "NOT_IN_OUTPUT") if status else "NOT_IN_OUTPUT"


def _ended(facts: tuple[Fact, ...], chunk: Chunk, world: World) -> Done:
    now = world.store.chunk(chunk.chunk_id) or chunk
    return done((*_judged(now, world), *facts), after_end(now, world))


def _judged(chunk: Chunk, world: World) -> tuple[Fact, ...]:
    """Tell what the store now holds of the chunk: outcomes, tokens, money."""
    counts = world.store.outcomes(chunk.chunk_id).items()
    spent = world.store.spent(chunk.chunk_id)
    return (
        *(RecordsJudged(chunk.chunk_id, kind, outcome, count) for (kind, outcome), count in counts),
        MoneySpent(chunk.chunk_id, chunk.model, spent.input_tokens, spent.output_tokens, spent.cost_usd),
    )
