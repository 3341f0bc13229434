"""Batch jobs that end when they are told to, with an output for every line of their manifest."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.bench.stub.http import Answer, Request
from tests.bench.stub.s3 import Bucket

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"
_PATH = "/model-invocation-job/"
_SPENT = {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}
_ANSWER = json.dumps({"text": "A pool.", "depth": "standard", "language": "en"})
_OUTPUT = {
    "output": {"message": {"content": [{"text": _ANSWER}], "role": "assistant"}},
    "stopReason": "end_turn",
    "usage": _SPENT,
}


@dataclass
class Job:
    """One job, with the times its creation was asked for and its end was told."""

    arn: str
    asked: dict[str, Any]
    created: float
    status: str = "InProgress"
    ended: float | None = None

    def told(self) -> dict[str, Any]:
        """Return what Get and List tell."""
        told = {
            "jobArn": self.arn,
            "jobName": self.asked["jobName"],
            "clientRequestToken": self.asked.get("clientRequestToken", ""),
            "modelId": self.asked["modelId"],
            "roleArn": self.asked["roleArn"],
            "status": self.status,
            "submitTime": _time(self.created),
            "inputDataConfig": self.asked["inputDataConfig"],
            "outputDataConfig": self.asked["outputDataConfig"],
        }
        return {**told, "endTime": _time(self.ended)} if self.ended else told


class Jobs:
    """All jobs, at most ``most`` of them open."""

    def __init__(self, bucket: Bucket) -> None:
        self.jobs: dict[str, Job] = {}
        self.most = 20
        self.counts: Counter[str] = Counter()
        self._bucket = bucket

    @property
    def open(self) -> list[Job]:
        """Return the open jobs, oldest first."""
        return [job for job in self.jobs.values() if job.ended is None]

    def answer(self, request: Request) -> Answer:
        """Answer one call."""
        if request.method == "POST":
            stopping = request.path.endswith("/stop")
            return Answer(b"{}") if stopping else self._create(json.loads(request.body))
        if request.path == "/model-invocation-jobs":
            return self._list(request.query)
        self.counts["Get"] += 1
        job = self.jobs.get(unquote(request.path.removeprefix(_PATH)))
        return _json(job.told()) if job else _refused("ResourceNotFoundException", 404)

    def end(self, number: int) -> list[dict[str, Any]]:
        """End the oldest open jobs; returns the events that tell of it."""
        return [self._end(job) for job in self.open[:number]]

    def _create(self, asked: dict[str, Any]) -> Answer:
        self.counts["Create"] += 1
        known = (job for job in self.jobs.values() if job.asked["jobName"] == asked["jobName"])
        if found := next(known, None):
            return _json({"jobArn": found.arn})
        if len(self.open) >= self.most:
            self.counts["QuotaExceeded"] += 1
            return _refused("ServiceQuotaExceededException", 400)
        arn = f"{ARN}{len(self.jobs):012}"
        self.jobs[arn] = Job(arn, asked, time.time())
        return _json({"jobArn": arn})

    def _list(self, query: str) -> Answer:
        self.counts["List"] += 1
        part = parse_qs(query).get("nameContains", [""])[0]
        found = [job.told() for job in self.jobs.values() if part in job.asked["jobName"]]
        return _json({"invocationJobSummaries": found})

    def _end(self, job: Job) -> dict[str, Any]:
        job.status, job.ended = "Completed", time.time()
        folder = _key(job.asked["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        target = _key(job.asked["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        manifest = self._bucket.bodies.get(f"{folder}manifest.jsonl", b"")
        answers = [{**json.loads(line), "modelOutput": _OUTPUT} for line in manifest.splitlines()]
        output = "".join(json.dumps(each) + "\n" for each in answers).encode()
        name = f"{target}{job.arn.rpartition('/')[2]}/manifest.jsonl.out"
        self._bucket.put(name, len(output), output)
        return {
            "version": "0",
            "id": job.arn[-12:],
            "detail-type": "Batch Inference Job State Change",
            "source": "aws.bedrock",
            "account": "123456789012",
            "time": _time(job.ended),
            "region": "us-east-1",
            "resources": [job.arn],
            "detail": {
                "version": "0.0",
                "accountId": "123456789012",
                "batchJobName": job.asked["jobName"],
                "batchJobArn": job.arn,
                "batchModelId": job.asked["modelId"],
                "status": job.status,
                "failureMessage": "",
                "creationTime": _time(job.created),
            },
        }


def _key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _json(document: dict[str, Any]) -> Answer:
    return Answer(json.dumps(document).encode(), headers="Content-Type: application/json\r\n")


def _refused(code: str, status: int) -> Answer:
    body = json.dumps({"message": f"said the stub: {code}"}).encode()
    return Answer(body, status, f"x-amzn-errortype: {code}\r\nContent-Type: application/json\r\n")
