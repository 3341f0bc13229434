"""Output that an earlier system had written: other folders, other prompts, real errors among the answers."""

import json
from typing import Any

from consumers.core.jobs import JobReport
from consumers.core.lifecycle import JobStatus
from consumers.core.rows import JobCounts
from tests.stages.bedrock_answers import Line, error, success
from tests.stages.simulation import START, Simulation

BAD_URI = "Provided S3 URI is invalid"
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcd01234567"
FOLDER = "nova/batch/output/job_20251114_101112/abcd01234567"
FLAT = "nova/batch/output/abcd01234567"


def lines(videos: int, bad: int = 0, kind: str = "combined", first: int = 22000) -> list[dict[str, Any]]:
    """Return the lines of a job over so many videos; of the first ones Bedrock refused the names."""
    return [
        line(first + n, error(400, BAD_URI) if n < bad else success(f"file-{first + n}:{kind}"), kind)
        for n in range(videos)
    ]


def line(number: int, answer: Line, kind: str = "combined", place: str = "proxy_video/") -> dict[str, Any]:
    uri = f"s3://media/{place}Video, {number} (raw)_{number}_720p15.mov"
    video = {"format": "mov", "source": {"s3Location": {"uri": uri}}}
    content = [{"video": video}, {"text": "Describe it."}]
    asked = {"messages": [{"role": "user", "content": content}], "inferenceConfig": {"maxTokens": 4096}}
    return {"recordId": f"file-{number}:{kind}", "modelInput": asked, **answer}


def put(sim: Simulation, folder: str, written: list[dict[str, Any]], name: str = "batch_input_1") -> str:
    """Put an output object beside the summary of its job; returns its URI."""
    text = "".join(json.dumps(each) + "\n" for each in reversed(written))
    key = f"{folder}/{name}.jsonl.out"
    sim.objects.put(key, text)
    sim.objects.put(f"{folder}/{name}.json.out", json.dumps({"totalRecordCount": len(written)}))
    return f"s3://media/{key}"


def job(sim: Simulation, written: list[dict[str, Any]], status: JobStatus = JobStatus.COMPLETED) -> str:
    """Have Bedrock know the job that wrote below FOLDER; returns its ARN."""
    failed = sum("error" in each for each in written)
    counts = JobCounts(len(written), len(written), len(written) - failed, failed)
    folder = f"s3://media/{FOLDER.rpartition('/')[0]}/"
    sim.jobs.reports[ARN] = JobReport(
        ARN, "video-job-1", "token-1", status, "", counts, folder, START, START, "us.amazon.nova-2-lite-v1:0"
    )
    return ARN
