"""A job's event: ask Bedrock what is true, store it, free the slot, name what follows."""

from pydantic import BaseModel

from consumers.core.faults import Denied, Missing
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import JOB_ENDS, PAST_VALIDATION, ChunkState
from consumers.core.rows import Chunk
from consumers.core.world import Later, Outcome, World, done
from consumers.findings import find
from consumers.wake import after_job, next_chunk, results_of
from schemas.facts import Fact, Ignored, JobChanged
from schemas.job_events import JobDetail, JobStateChange

UNCONFIRMED = 20.0
NOT_ASKED = "job_not_asked"
RUNNING = frozenset({ChunkState.SUBMITTED, ChunkState.IN_PROGRESS})


def job_state_change(message: JobStateChange, world: World) -> Outcome:
    """Take in one event. Foreign jobs are ignored; an end that Get does not confirm yet comes again."""
    detail = message.detail
    if not is_here(detail.arn, world):
        return done([Ignored("job of another account or Region", detail.name)])
    chunk = world.store.chunk_of_job(detail.arn, detail.name)
    if chunk is None:
        return done([Ignored("not a job of this store", detail.name)])
    try:
        report = world.jobs.get(detail.arn)
    except Missing:
        return done([Ignored("Bedrock does not know the job", detail.arn)])
    except Denied as denied:
        find(NOT_ASKED, detail.arn, denied.message, world)
        raise
    world.store.settled(NOT_ASKED, detail.arn)
    if _claims_end(detail) and report.status not in JOB_ENDS:
        return Later(UNCONFIRMED, f"the event says {detail.status}, Bedrock still says {report.status}")
    changed = world.store.job_seen(chunk.chunk_id, report, world.now)
    return done(_facts(chunk, report) if changed else (), _follow(chunk.chunk_id, world))


def is_here(arn: str, world: World) -> bool:
    """Tell whether a job's ARN is of our Region and of the account that owns our role."""
    region, account = arn.split(":")[3:5]
    return region == world.policy.region and account == world.policy.role_arn.split(":")[4]


def _claims_end(detail: JobDetail) -> bool:
    return detail.status in {status.value for status in JOB_ENDS}


def _facts(chunk: Chunk, report: JobReport) -> tuple[Fact, ...]:
    seconds = None
    if report.status in JOB_ENDS and report.submitted_at and report.ended_at:
        seconds = (report.ended_at - report.submitted_at).total_seconds()
    return (JobChanged(chunk.chunk_id, chunk.model, report.status, report.arn, seconds, report.message),)


def _follow(chunk_id: str, world: World) -> tuple[BaseModel, ...]:
    """Return what follows an end: the chunks it made room for, and the reading of the output.

    A job past validation proves its model, which then may have all of its slots.
    """
    chunk = world.store.chunk(chunk_id)
    if chunk is None or chunk.job is None:
        return ()
    if chunk.state is ChunkState.ENDED:
        return (*after_job(chunk, world), *results_of(chunk))
    proves = chunk.state in RUNNING and chunk.job.status in PAST_VALIDATION
    return next_chunk(chunk.model, world) if proves else ()
