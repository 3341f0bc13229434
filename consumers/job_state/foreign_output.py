"""Finding the output that is to be taken in, and the job that wrote it."""

import re
from dataclasses import dataclass, replace

from consumers.core import layout
from consumers.core.faults import Denied, Missing, Rejected
from consumers.core.foreign import UNKNOWN_MODEL
from consumers.core.jobs import JobReport
from consumers.core.layout import S3Place
from consumers.core.lifecycle import JOB_ENDS
from consumers.core.world import Refuse, World
from consumers.job_state.job_state_change import is_here
from consumers.job_state.places import output_objects
from schemas.messages import AdoptJob
from schemas.wording import clip, short

NAMED = 5
"""So many places are named where one is wanted."""
_JOB_ID = re.compile(r"[a-z0-9]{12}")


@dataclass(frozen=True, slots=True)
class ForeignOutput:
    """Where output of others lies, in which objects, and by which job if one is known."""

    place: S3Place
    keys: tuple[str, ...]
    job: JobReport | None
    model: str

    @property
    def uri(self) -> str:
        """Return the place as one URI: a folder with its slash, or the only object."""
        return layout.s3_uri(*self.place)


def find_output(message: AdoptJob, world: World) -> ForeignOutput | Refuse:
    """Find what a message names, or say why it cannot be taken in. Raises a fault that may pass."""
    if message.source.startswith("arn:"):
        return _of_job(message, world)
    try:
        place = layout.parse_s3_uri(message.source)
    except ValueError:
        return _refused("bad_source", f"{short(message.source)} names no place in S3", "s3://bucket/folder/")
    return _at(place, message, world)


def _of_job(message: AdoptJob, world: World) -> ForeignOutput | Refuse:
    if not is_here(message.source, world):
        why = f"{message.source} is a job of another account or Region"
        return _refused("foreign_job", why, "run it where its output can be read, or give the output's URI")
    try:
        job = world.jobs.get(message.source)
    except Missing:
        return _refused("unknown_job", f"Bedrock does not know {message.source}", "give its output's URI")
    if job.status not in JOB_ENDS:
        return _refused("job_not_ended", f"the job is {job.status}", "take it in when it has ended")
    written = layout.parse_s3_uri(job.output_uri)
    folder = written.key.rstrip("/") + "/" if written.key else ""
    place = S3Place(written.bucket, f"{folder}{job.arn.rpartition('/')[2]}/")
    return _found(place, job, message, world)


def _at(place: S3Place, message: AdoptJob, world: World) -> ForeignOutput | Refuse:
    """Find the output at a place: an object of records, or a folder of one job."""
    if not place.key:
        return _refused("bad_source", f"{message.source} is a whole bucket", "name the folder of a job")
    is_object = layout.is_output_records(place.key)
    folder = place if is_object else S3Place(place.bucket, place.key.rstrip("/") + "/")
    return _forbidden(folder, world) or _found(folder, _job_at(folder, world), message, world)


def _found(place: S3Place, job: JobReport | None, message: AdoptJob, world: World) -> ForeignOutput | Refuse:
    refused = _forbidden(place, world) or _known(job, world)
    if refused:
        return refused
    keys = output_keys(place, world)
    folders = sorted({key.rpartition("/")[0] for key in keys})
    if not keys:
        why = f"there is no .jsonl.out at {layout.s3_uri(*place)}"
        return _refused("no_output", why, "name the folder of a job, or the object itself")
    if len(folders) > 1:
        some = ", ".join(layout.s3_uri(place.bucket, f"{folder}/") for folder in folders[:NAMED])
        return _refused("several_jobs", f"{len(folders)} or more jobs wrote there", f"name one: {some}")
    model = _model(message, job, world)
    if isinstance(model, Refuse):
        return model
    return ForeignOutput(place, keys, replace(job, model=model) if job else None, model)


def output_keys(place: S3Place, world: World) -> tuple[str, ...]:
    """List the objects of records at a place, in order: those of a folder, or the one that it names.

    Of a place where many jobs wrote no more than tells so.
    """
    keys: list[str] = []
    for info in output_objects(place, world):
        if layout.is_output_records(info.key):
            keys.append(info.key)
            if len({key.rpartition("/")[0] for key in keys[-NAMED:]}) == NAMED:
                break
    return tuple(keys)


def _job_at(place: S3Place, world: World) -> JobReport | None:
    """Return the job that a folder is named after, if Bedrock knows it and it wrote there."""
    folder = place.key.rpartition("/")[0]
    id = folder.rpartition("/")[2]
    if _JOB_ID.fullmatch(id) is None:
        return None
    _, partition, _, _, account, *_ = world.policy.role_arn.split(":")
    arn = f"arn:{partition}:bedrock:{world.policy.region}:{account}:model-invocation-job/{id}"
    try:
        job = world.jobs.get(arn)
    except (Missing, Denied, Rejected):
        return None
    wrote_here = layout.s3_uri(place.bucket, folder).startswith(job.output_uri.rstrip("/"))
    return job if wrote_here and job.status in JOB_ENDS else None


def _known(job: JobReport | None, world: World) -> Refuse | None:
    """Refuse a job that a chunk of the store has, planned here or taken in by another name."""
    chunk = world.store.chunk_of_job(job.arn, job.name) if job else None
    if chunk is None:
        return None
    why = f"it is the job of chunk {chunk.chunk_id} of request {chunk.terms.request_id}"
    return _refused("known_job", why, f"see `novabatch results {chunk.batch_id}`")


def _forbidden(place: S3Place, world: World) -> Refuse | None:
    if place.bucket in world.policy.allowed_buckets:
        return None
    allowed = ", ".join(sorted(world.policy.allowed_buckets))
    why = f"bucket {place.bucket} is not allowed (allowed: {allowed})"
    return _refused("forbidden_bucket", why, "have an operator add it to NOVABATCH_ALLOWED_BUCKETS")


def _model(message: AdoptJob, job: JobReport | None, world: World) -> str | Refuse:
    """Return the model by its id: as asked for, as the job says, or unknown."""
    if message.model is not None:
        model = world.models.find(message.model)
        known = ", ".join(world.models.names())
        unknown = f"model {short(message.model)} is not in the model table"
        return model.id if model else _refused("unknown_model", unknown, f"name one of {known}")
    if job is None or not job.model:
        return UNKNOWN_MODEL
    model = world.models.find(job.model)
    return model.id if model else job.model.rpartition("/")[2]


def _refused(code: str, why: str, remedy: str) -> Refuse:
    return Refuse(code, clip(f'Field "source": {why}: {remedy}.'))
