"""Filling a freed slot with nothing but the calls it takes: the limit of the bench of slots."""

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from typing import Any

from daemon.adapters import sqs
from daemon.adapters.aws import make_client
from deploy.local.stack import ROLE_ARN
from tests.bench.child import surrounded
from tests.bench.stub.client import MILLISECONDS_30, Stub
from tests.bench.stub.s3 import BUCKET

EVENTS, REQUESTS = "job-state-changes", "submit-requests"


def refills(server: Stub, times: int) -> Iterator[float]:
    """End a job so many times; yields how long it takes from there to the next create, in one thread.

    The calls are those of two consumers: one hears of the end, asks Bedrock and sends a message, the other
    gets that and creates the next job.
    """
    server.reset(bedrock=MILLISECONDS_30)
    with (
        surrounded(server.environment),
        closing(sqs.make_client(1, 2)) as queue,
        closing(make_client("bedrock")) as bedrock,
    ):
        events, requests = (queue.get_queue_url(QueueName=name)["QueueUrl"] for name in (EVENTS, REQUESTS))
        numbers = count()
        _create(bedrock, next(numbers))
        for _ in range(times):
            server.control("end", number=1, queue=EVENTS)
            event = json.loads(_receive(queue, events))
            bedrock.get_model_invocation_job(jobIdentifier=event["detail"]["batchJobArn"])
            queue.send_message(QueueUrl=requests, MessageBody="{}")
            _receive(queue, requests)
            _create(bedrock, next(numbers))
            jobs = server.told()["jobs"]
            yield jobs[-1]["created"] - jobs[-2]["ended"]


def _receive(queue: Any, url: str) -> str:
    (found,) = queue.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
    body: str = found["Body"]
    return body


def _create(bedrock: Any, number: int) -> None:
    folder = f"s3://{BUCKET}/bare/{number}/"
    bedrock.create_model_invocation_job(
        jobName=f"bare-{number}",
        modelId="us.amazon.nova-2-lite-v1:0",
        roleArn=ROLE_ARN,
        inputDataConfig={"s3InputDataConfig": {"s3Uri": folder}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": folder}},
    )
