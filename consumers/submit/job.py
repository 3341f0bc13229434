"""Giving a READY chunk its job: claim a slot, create, find again what was created before."""

from consumers.core import layout
from consumers.core.faults import (
    Denied,
    Fault,
    NameTaken,
    PassingFault,
    QuotaExceeded,
    Rejected,
    Throttled,
)
from consumers.core.jobs import JobRequest
from consumers.core.rows import Chunk, Held, Job
from consumers.core.world import Done, Later, Outcome, World, done
from consumers.endings import cancel_chunk, ended, fail_chunk, turned_away
from consumers.wake import next_chunk, room_for
from schemas.facts import ChunkMoved, Fact, JobChanged, SlotsBlocked

LOOK_AGAIN = 5.0


def create_job(chunk: Chunk, held: Held, world: World) -> Outcome:
    """Claim a slot and create the chunk's one job; without a slot the READY row waits."""
    if chunk.job is not None and chunk.cancelled:
        return _cancelled_claim(chunk, chunk.job, held, world)
    name = _name(chunk, world)
    token = layout.client_token(name)
    room = room_for(world.models.find(chunk.model), world.policy)
    gate = world.store.claim_slot(held, name, token, room, world.now)
    away = turned_away(gate, chunk, held, world)
    if away is not None:
        return away
    world.checkpoint()
    request = JobRequest(
        name,
        token,
        chunk.model,
        world.policy.role_arn,
        layout.input_uri(world.policy.bucket, chunk.folder),
        layout.output_uri(world.policy.bucket, chunk.folder),
        world.policy.job_timeout_hours,
    )
    return _create(request, chunk, held, world)


def _name(chunk: Chunk, world: World) -> str:
    """Return the name a claim was made under, whatever the settings say by now; else the name to claim."""
    if chunk.job is not None:
        return chunk.job.name
    return layout.job_name(world.policy.job_name_prefix, chunk.batch_id, chunk.index)


def _cancelled_claim(chunk: Chunk, job: Job, held: Held, world: World) -> Outcome:
    """Find out whether the job of a cancelled claim exists: stop it then, else the chunk ends with it."""
    found = world.jobs.find(job.name, job.token)
    if found is not None:
        return _created(found.arn, chunk, world)
    return ended(cancel_chunk(chunk, held, world), chunk, world)


def _create(request: JobRequest, chunk: Chunk, held: Held, world: World) -> Outcome:
    try:
        arn = world.jobs.create(request)
    except (QuotaExceeded, Throttled) as fault:
        before = world.jobs.find(request.name, request.token) if chunk.job is not None else None
        if before is None:
            world.store.give_slot_back(held, fault.message, world.now)
            return done([SlotsBlocked(chunk.model, fault.message)])
        arn = before.arn  # of an earlier create whose answer was lost
    except (Rejected, Denied) as fault:
        return _refused(fault, chunk, held, world)
    except (NameTaken, PassingFault) as fault:
        found = world.jobs.find(request.name, request.token)
        if found is None:
            return Later(LOOK_AGAIN, f"no answer, and no job {request.name} yet: {fault.message}")
        arn = found.arn
    return _created(arn, chunk, world)


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
        world.jobs.stop(arn)
    return done(facts, next_chunk(chunk.model, world))


def _refused(fault: Fault, chunk: Chunk, held: Held, world: World) -> Done:
    """End a chunk whose job Bedrock will not create; its slot is free with its end, its records say why."""
    return ended(fail_chunk(chunk, held, "JOB_FAILED", fault.message, world), chunk, world)
