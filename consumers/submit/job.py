"""Giving a READY chunk its job: claim a slot, create, find again what was created before."""

from datetime import timedelta

from consumers.attempts import TRIES, leave
from consumers.auditing import audited
from consumers.core import layout
from consumers.core.faults import Denied, Fault, NameTaken, PassingFault, QuotaExceeded, Rejected, Throttled
from consumers.core.gate import rest_of
from consumers.core.jobs import JobReport, JobRequest
from consumers.core.rows import Chunk, Deed, Held, Job, Verb
from consumers.core.world import Done, Later, Outcome, World, done
from consumers.endings import cancel_chunk, ended, fail_chunk, turned_away
from consumers.wake import next_chunk, results_of, room_for
from schemas.facts import ChunkMoved, Fact, JobChanged, SlotsBlocked

CREATE = "create"
"""The kind under which a row counts how often it is not known what became of its create."""
LISTED_WITHIN = timedelta(minutes=2)
"""For so long after a create it proves nothing that List does not name its job; AWS promises no time."""


def create_job(chunk: Chunk, held: Held, world: World) -> Outcome:
    """Claim a slot and create the chunk's one job; without a slot the READY row waits."""
    if chunk.job is not None:
        return _go_on(chunk, chunk.job, held, world)
    name = layout.job_name(world.policy.job_name_prefix, chunk.chunk_id, _reads(chunk, world))
    token = layout.client_token(name)
    room = room_for(world.models.find(chunk.model), world.policy)
    gate = world.store.claim_slot(held, name, token, room, world.now)
    away = turned_away(gate, chunk, held, world)
    return _create(name, token, 0, chunk, held, world) if away is None else away


# ── a claim that was made before ───────────────────────────────────────────────────────────────


def _go_on(chunk: Chunk, job: Job, held: Held, world: World) -> Outcome:
    """Look for the job of an earlier claim, under the name it was claimed by, before anything else.

    Its create may have come through although nobody heard of it. Each look is counted, and the row rests
    after it: before the next create, so that it is known even if the process dies in the middle of that.
    """
    if chunk.wake_after is not None and world.now < chunk.wake_after:
        return Done()
    try:
        found = world.jobs.find(job.name, job.token)
    except Fault as fault:
        return _wait(_count(fault.message, held, world), fault.message, held, world)
    if found is not None:
        return _take(found, chunk, held, world)
    if chunk.cancelled and _is_empty(chunk):
        return ended(cancel_chunk(chunk, held, world), chunk, world)
    why = f"nobody heard what became of job {job.name}, and List does not name it"
    count = _count(why, held, world)
    if chunk.cancelled:
        return _wait(count, why, held, world)
    return _create(job.name, job.token, count, chunk, held, world)


def _is_empty(chunk: Chunk) -> bool:
    """Tell whether no create before can have made a job, provided that List does not name it now."""
    count = chunk.failures.get(CREATE, 0)
    return chunk.job is None or (count > 0 and rest_of(count) >= LISTED_WITHIN)


def _count(why: str, held: Held, world: World) -> int:
    return world.store.failed(held, CREATE, why, world.now)


def _wait(count: int, why: str, held: Held, world: World) -> Outcome:
    """Come again when the row has rested, a few times; then its slot is a matter of a person, too."""
    if count < TRIES:
        return Later(rest_of(count).total_seconds(), why)
    return leave(held, CREATE, why, world)


# ── the create and its answers ─────────────────────────────────────────────────────────────────


def _create(name: str, token: str, count: int, chunk: Chunk, held: Held, world: World) -> Outcome:
    """Create a job; ``count`` says how often the row has been counted for it, 0 for a new claim."""
    world.checkpoint()
    request = JobRequest(
        name,
        token,
        chunk.model,
        world.policy.role_arn,
        _reads(chunk, world),
        layout.output_uri(world.policy.bucket, chunk.folder),
        world.policy.job_timeout_hours,
    )
    try:
        arn = world.jobs.create(request)
    except (NameTaken, PassingFault, Rejected, Denied) as fault:
        return _not_created(fault, request, count, chunk, held, world)
    return _created(arn, chunk, world)


def _not_created(
    fault: Fault, request: JobRequest, count: int, chunk: Chunk, held: Held, world: World
) -> Outcome:
    """Give a claim back, or end its chunk, if that was its only create; otherwise look for the job."""
    if _is_empty(chunk):
        match fault:
            case QuotaExceeded() | Throttled():
                world.store.give_slot_back(held, fault.message, world.now)
                return done([SlotsBlocked(chunk.model, fault.message)])
            case Rejected() | Denied():
                return _refused(fault, chunk, held, world)
    try:
        found = world.jobs.find(request.name, request.token)
    except Fault as unheard:
        why = f"{fault.message}; then {unheard.message}"
        return _wait(count or _count(why, held, world), why, held, world)
    if found is not None:
        return _take(found, chunk, held, world)
    return _wait(count or _count(fault.message, held, world), fault.message, held, world)


def _take(found: JobReport, chunk: Chunk, held: Held, world: World) -> Done:
    """Take a job found by its name or token, unless it reads another folder: then it is not this chunk's."""
    if found.input_uri in ("", _reads(chunk, world)):
        return _created(found.arn, chunk, world)
    why = f"job {found.name} reads {found.input_uri}: it is another installation's"
    return _refused(NameTaken(why), chunk, held, world)


def _created(arn: str, chunk: Chunk, world: World) -> Done:
    """Store the ARN; if the event stage was faster its word stands."""
    world.store.start_batch(chunk.batch_id)
    facts: list[Fact] = []
    if world.store.submitted(chunk.chunk_id, arn, world.now):
        facts.append(JobChanged(chunk.chunk_id, chunk.model, "Submitted", arn))
        waited = (world.now - chunk.ready_at).total_seconds() if chunk.ready_at else None
        facts.append(ChunkMoved(chunk.chunk_id, chunk.model, "SUBMITTED", waited))
    now = world.store.chunk(chunk.chunk_id)
    if now is not None and now.cancelled:
        with audited(Deed(Verb.STOP_JOB, chunk.chunk_id, chunk.batch_id, arn), world):
            world.jobs.stop(arn)
    return done(facts, (*next_chunk(chunk.model, world), *results_of(now or chunk)))


def _refused(fault: Fault, chunk: Chunk, held: Held, world: World) -> Done:
    """End a chunk whose job Bedrock will not create; its slot is free with its end, its records say why."""
    return ended(fail_chunk(chunk, held, "JOB_FAILED", fault.message, world), chunk, world)


def _reads(chunk: Chunk, world: World) -> str:
    return layout.input_uri(world.policy.bucket, chunk.folder)
