"""ingest_chunk: read the output of an ended job once, store every record's outcome, end the chunk."""

from consumers.attempts import attempt, leave
from consumers.core import layout
from consumers.core.faults import Fault, Missing
from consumers.core.lifecycle import CHUNK_ENDS, ChunkState, JobStatus
from consumers.core.rows import Chunk, Held, Leased
from consumers.core.world import Done, Outcome, Refuse, World, done
from consumers.endings import after_end, end_chunk, fail_chunk
from consumers.job_state.audit import audit, audit_nothing
from consumers.job_state.news import Told
from consumers.job_state.output import read_output
from consumers.job_state.places import output_place
from consumers.parts import write_part
from schemas.facts import Fact
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
    return chunk.state is ChunkState.ENDED or chunk.unread


def _ingest(chunk: Chunk, held: Held, world: World) -> Outcome:
    told = Told(chunk, world)
    tries = world.policy.fetch_max_retries + 1

    def give_up(count: int, fault: Fault) -> Outcome:
        return _not_read(chunk, held, count, fault, told)

    return attempt(held, "fetch", world, lambda: _read(chunk, held, told, world), give_up, tries)


def _read(chunk: Chunk, held: Held, told: Told, world: World) -> Outcome:
    """Read the output and give every record its outcome; raises Missing where it should be and is not."""
    status = chunk.job.status if chunk.job else None
    message = chunk.job.message if chunk.job else ""
    output = read_output(chunk, held, world)
    if output is None:
        if _owes_output(chunk):
            place = layout.s3_uri(*output_place(chunk, world))
            raise Missing(f"the job ended {status or 'elsewhere'}, but there is no output at {place}")
        reason = message or f"the job ended {status} without output"
        findings = audit_nothing(chunk, world)
        return _ended((*findings, *fail_chunk(chunk, held, _missing_code(status), reason, world)), told)
    why = message if status is JobStatus.FAILED and message else NO_LINE
    world.store.close_records(held, RecordOutcome.MISSING, _missing_code(status), why, world.now)
    findings = audit(chunk, output, world)
    return attempt(held, "store", world, lambda: _store(chunk, held, findings, told, world))


def _owes_output(chunk: Chunk) -> bool:
    """Tell whether output is paid for: the job Completed, or Get counts processed records.

    A job that Failed may have processed records and writes nothing.
    """
    if chunk.output_uri or chunk.job is None:
        return bool(chunk.output_uri)
    status, counts = chunk.job.status, chunk.job.counts
    return status is JobStatus.COMPLETED or (status is not JobStatus.FAILED and bool(counts.processed))


def _store(chunk: Chunk, held: Held, findings: tuple[Fact, ...], told: Told, world: World) -> Outcome:
    write_part(chunk, held, world)
    return _ended((*findings, *end_chunk(chunk, held, ChunkState.COMPLETED, "", world)), told)


def _not_read(chunk: Chunk, held: Held, count: int, fault: Fault, told: Told) -> Outcome:
    """After the allowed tries the records are MISSING, never bought again, and tried again hourly.

    What was read before, and only could not be stored as a part, is not given up.
    """
    if chunk.state is ChunkState.FAILED:
        return Done()
    if _is_read(chunk, told.world):
        return leave(held, "fetch", fault.message, told.world)
    reason = f"the output could not be read {count} times, the last time: {fault.message}"
    findings = audit_nothing(chunk, told.world)
    return _ended((*findings, *fail_chunk(chunk, held, "RESULT_FETCH_FAILED", reason, told.world)), told)


def _is_read(chunk: Chunk, world: World) -> bool:
    """Tell whether every record has its outcome already; that it could not be read is none."""
    return not chunk.unread and sum(world.store.outcomes(chunk.chunk_id).values()) >= chunk.records


def _missing_code(status: JobStatus | None) -> str:
    return MISSING_CODES.get(status, "NOT_IN_OUTPUT") if status else "NOT_IN_OUTPUT"


def _ended(facts: tuple[Fact, ...], told: Told) -> Done:
    chunk = told.world.store.chunk(told.chunk.chunk_id) or told.chunk
    return done((*told.news(), *facts), after_end(chunk, told.world))
