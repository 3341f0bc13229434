"""reconcile: compare the store with Bedrock's own list and send the messages that are missing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel

from consumers.core import layout
from consumers.core.faults import Fault
from consumers.core.jobs import JobReport
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.rows import Leased, OpenJob
from consumers.core.world import Done, Outcome, World, done
from consumers.findings import find
from consumers.job_state.aging import aged
from consumers.wake import next_chunks
from schemas.facts import FindingMade, Reconciled, ReconcilerRan
from schemas.job_events import JobStateChange
from schemas.messages import (
    CancelBatch,
    CleanupChunk,
    ForgetFile,
    IngestChunk,
    PlanBatch,
    Reconcile,
    ReparseBatch,
    SettleBatch,
    SubmitChunk,
)

LOOK_BACK = timedelta(hours=1)
ROWS = 1000
NOT_LISTED, UNKNOWN = "jobs_not_listed", "job_unknown"

_STOPPED = JOB_ENDS | {JobStatus.STOPPING}

Finding = tuple[str, BaseModel]


def reconcile(message: Reconcile, world: World) -> Outcome:  # noqa: ARG001
    """Make one pass, if nobody else is making one; it moves no row: it sends messages, and finds."""
    if world.hold(Leased.RECONCILER, "reconcile") is None:
        return Done()
    world.store.forget_outlived(world.now)
    told = [*_rows(world), *_chunks(world), *_asked(world), *aged(world)]
    found = [each for each in told if isinstance(each, FindingMade)]
    sent = [each for each in told if not isinstance(each, FindingMade)]
    unique = {body.model_dump_json(): (action, body) for action, body in sent}
    counts = Counter(action for action, _ in unique.values())
    facts = [Reconciled(action, count) for action, count in counts.items()]
    return done([ReconcilerRan(len(unique)), *facts, *found], [body for _, body in unique.values()])


def _asked(world: World) -> list[Finding | FindingMade]:
    """Compare with Bedrock's list; without an answer the rows are looked after all the same."""
    try:
        told = list(_jobs(world.store.open_jobs(), world))
    except Fault as fault:
        return [find(NOT_LISTED, "reconcile", fault.message, world)]
    world.store.settled(NOT_LISTED, "reconcile")
    return told


def _jobs(open_jobs: Sequence[OpenJob], world: World) -> Iterator[Finding | FindingMade]:
    """Name the jobs whose status the store does not know, and the claims that never became a job."""
    if not open_jobs:
        return
    by_arn = {job.arn: job for job in open_jobs if job.arn}
    by_name = {job.name: job for job in open_jobs}
    seen, listed = set[str](), set[str]()
    for report in world.jobs.since(min(job.claimed_at for job in open_jobs) - LOOK_BACK):
        job = by_arn.get(report.arn) or by_name.get(report.name)
        if job is not None:
            seen.add(job.chunk_id)
            listed.add(report.arn)
            yield from _compare(job, report, world)
    world.store.settled(UNKNOWN, *(job.arn for job in open_jobs if job.arn and job.arn in listed))
    for job in open_jobs:
        if job.chunk_id in seen:
            continue
        if job.arn is not None:
            if _since(job.claimed_at, world) < world.policy.overdue_seconds:
                continue  # AWS promises no time within which List names a job
            yield find(UNKNOWN, job.arn, "ListModelInvocationJobs does not name it", world)
        elif not job.leased:
            yield "claim_without_job", SubmitChunk(chunk_id=job.chunk_id)


def _compare(job: OpenJob, report: JobReport, world: World) -> Iterator[Finding]:
    hint = JobStateChange.hint(report.arn, report.name, report.status)
    if job.arn is None and not job.leased:
        yield "job_adopted", hint
    elif job.arn is not None and report.status != job.status and _may_ask(job, report, world):
        yield "event_missed", hint
    if job.cancelled and job.arn is not None and report.status not in _STOPPED:
        yield "job_not_stopped", CancelBatch(batch_id=layout.parse_chunk_id(job.chunk_id).batch_id)


def _may_ask(job: OpenJob, report: JobReport, world: World) -> bool:
    """Tell whether Get may be asked about a job: at its end at once, on its way every CHECK_INTERVAL."""
    if report.status in JOB_ENDS or job.checked_at is None:
        return True
    return _since(job.checked_at, world) >= world.policy.check_interval


def _since(when: datetime, world: World) -> float:
    return (world.now - when).total_seconds()


def _rows(world: World) -> Iterator[Finding]:
    waiting = world.store.waiting(world.now, ROWS)
    yield from (("plan_stalled", PlanBatch(batch_id=each)) for each in waiting.plans)
    yield from (("chunk_stalled", SubmitChunk(chunk_id=each)) for each in waiting.submits)
    yield from (("not_ingested", IngestChunk(chunk_id=each)) for each in waiting.ingests)
    yield from (("not_settled", SettleBatch(batch_id=each)) for each in waiting.settles)
    yield from (("reparse_stalled", ReparseBatch(batch_id=each)) for each in waiting.reparses)
    yield from (("forget_stalled", ForgetFile(batch_id=each)) for each in waiting.forgets)
    if world.policy.cleanup_after_success:
        yield from (("not_cleaned", CleanupChunk(chunk_id=each)) for each in waiting.cleanups)


def _chunks(world: World) -> Iterator[Finding]:
    for model in world.store.models():
        yield from (("chunk_not_woken", message) for message in next_chunks(model, world))
