"""Jobs that end with an output of the test's making."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumers.core import layout
from consumers.core.lifecycle import JOB_ENDS, JobStatus
from consumers.core.rows import JobCounts
from schemas.job_events import JobStateChange
from tests.stages.bedrock_answers import success
from tests.stages.simulation import Simulation

Lines = Sequence[bytes]


def as_written(lines: Lines) -> Lines:
    """Leave the output as Bedrock wrote it."""
    return lines


def end_job(
    sim: Simulation,
    change: Callable[[Lines], Lines] = as_written,
    *,
    status: JobStatus = JobStatus.COMPLETED,
    summary: Mapping[str, Any] | bytes | None = None,
    counts: JobCounts | None = None,
) -> None:
    """End the one open job; ``change`` makes other lines of its output, ``summary`` lies beside it."""
    (arn,) = [arn for arn, report in sim.jobs.reports.items() if report.status not in JOB_ENDS]
    sim.answers.write_output(sim.objects, sim.jobs.requests[arn], arn)
    key = output_key(sim)
    lines = sim.objects.read(key).removesuffix(b"\n").split(b"\n")
    sim.objects.put(key, b"\n".join(change(lines)) + b"\n")
    if summary is not None:
        told = summary if isinstance(summary, bytes) else json.dumps(summary).encode()
        sim.objects.put(summary_key(sim), told)
    report = sim.jobs.finish(arn, status, counts=counts)
    sim.post(JobStateChange.hint(arn, report.name, status))
    sim.run()


def output_key(sim: Simulation) -> str:
    """Return the key of the records of the one job that has output."""
    (key,) = [key for key in sim.objects.keys(layout.OUTPUT_ROOT) if key.endswith(".jsonl.out")]
    return key


def summary_key(sim: Simulation) -> str:
    """Return the key of the summary beside it."""
    return output_key(sim).replace("manifest.jsonl.out", "manifest.json.out")


def line(record_id: str, told: Mapping[str, Any] | None = None) -> bytes:
    """Write one line of output; without anything told the record succeeded."""
    return json.dumps({"recordId": record_id, **(told or success(record_id))}).encode()
