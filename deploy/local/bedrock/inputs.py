"""The validation of a job's input: what makes the whole job fail."""

import json
from dataclasses import dataclass
from typing import Any

from deploy.local.bedrock.jobs import Job
from deploy.local.bedrock.storage import Storage, lines, split
from deploy.local.knobs import Knobs


class InputRefusedError(Exception):
    """The input cannot be processed; the job ends Failed with this message."""


@dataclass(frozen=True)
class InputFile:
    """One .jsonl of a job: its name below the input folder, and its records."""

    name: str
    records: list[dict[str, Any]]


def read(job: Job, storage: Storage, knobs: Knobs) -> list[InputFile]:
    """Return every .jsonl under the input location, or refuse the job."""
    bucket, key = split(job.input_uri)
    for each in (bucket, split(job.output_uri)[0]):
        if not storage.has_bucket(each):
            raise InputRefusedError(
                f"Batch job {job.arn} cannot access the S3 bucket {each} with the provided role."
            )
    folder = key.rpartition("/")[0] + "/" if key.endswith(".jsonl") else key.rstrip("/") + "/"
    objects = storage.under(bucket, key if key.endswith(".jsonl") else folder.lstrip("/"))
    manifests = [each for each in objects if each.name.endswith(".jsonl")]
    _check_sizes(job, objects, manifests, knobs)
    files = [InputFile(each.name.removeprefix(folder), _records(job, each)) for each in manifests]
    _check_number(job, sum(len(file.records) for file in files), knobs)
    return files


def _check_sizes(job: Job, objects: list[Any], manifests: list[Any], knobs: Knobs) -> None:
    if not manifests:
        raise InputRefusedError(
            f"Batch job {job.arn} found no .jsonl file in the input location {job.input_uri}"
        )
    for each in manifests:
        if each.size > knobs.max_input_file_bytes:
            raise InputRefusedError(
                f"Batch job {job.arn} contains the file {each.name} of {each.size} bytes, "
                f"more than the allowed maximum of: {knobs.max_input_file_bytes}"
            )
    total = sum(each.size for each in objects)
    if total > knobs.max_job_bytes:
        raise InputRefusedError(
            f"Batch job {job.arn} contains {total} bytes of input, "
            f"more than the allowed maximum of: {knobs.max_job_bytes}"
        )


def _records(job: Job, manifest: Any) -> list[dict[str, Any]]:
    found = []
    try:
        for number, line in enumerate(lines(manifest.value), start=1):
            record = json.loads(line)
            if not isinstance(record, dict):
                raise InputRefusedError(
                    f"Batch job {job.arn}: line {number} of {manifest.name} is not a JSON object"
                )
            record["recordId"] = str(record.get("recordId") or f"RECORD{number:07d}")
            found.append(record)
    except ValueError as error:
        raise InputRefusedError(
            f"Batch job {job.arn}: {manifest.name} is not valid JSONL: {error}"
        ) from error
    return found


def _check_number(job: Job, number: int, knobs: Knobs) -> None:
    if number < knobs.min_records:
        raise InputRefusedError(
            f"Batch job {job.arn} contains less records ({number}) "
            f"than the required minimum of: {knobs.min_records}"
        )
    if number > knobs.max_records:
        raise InputRefusedError(
            f"Batch job {job.arn} contains more records ({number}) "
            f"than the allowed maximum of: {knobs.max_records}"
        )
