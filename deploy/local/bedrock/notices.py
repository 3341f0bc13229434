"""State-change events of jobs, shaped as the real ones are."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from deploy.local.bedrock.jobs import Job


def event_of(job: Job) -> dict[str, Any]:
    """Return the event for the job's present state; its times are not ISO-8601, as in AWS's own sample."""
    now = datetime.now(UTC)
    return {
        "version": "0",
        "id": hashlib.sha256(f"{job.arn}{job.status}".encode()).hexdigest()[:8],
        "detail-type": "Batch Inference Job State Change",
        "source": "aws.bedrock",
        "account": job.account,
        "time": now.strftime("%a %b %d %H:%M:%S UTC %Y"),
        "region": job.region,
        "resources": [job.arn],
        "detail": {
            "version": "0.0",
            "accountId": job.account,
            "batchJobName": job.name,
            "batchJobArn": job.arn,
            "batchModelId": f"arn:aws:bedrock:{job.region}::foundation-model/{job.base_model}",
            "status": job.status,
            "failureMessage": job.message,
            "creationTime": _spoken(job.submit_time),
        },
    }


def _spoken(moment: datetime) -> str:
    return moment.strftime("%b %d, %Y, ") + moment.strftime("%I:%M:%S %p").lstrip("0")
