"""What novabatch needs in an AWS account, made from the template that makes it there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deploy.local import template

REGION = "us-east-1"
ACCOUNT = "123456789012"
ACCESS_KEY = "local"
SECRET_KEY = "local"
BUCKET = "novabatch-local"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/novabatch-{REGION}-bedrock"
SUBMIT_QUEUE = "submit-requests"
STATE_QUEUE = "job-state-changes"
CLEANUP_QUEUE = "cleanup-requests"
EVENTS_QUEUE = "novabatch-events"
QUEUES = (SUBMIT_QUEUE, STATE_QUEUE, CLEANUP_QUEUE, EVENTS_QUEUE)
RULE = "novabatch-job-state-changes"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{RULE}"
STACK = "novabatch"
MOST = {
    **{"AllowLegacyCleanup": "yes", "AllowForgetting": "yes", "AllowResultRemoval": "yes"},
    **{"QueueEncryption": "CustomerKey", "EventBusName": "default"},
}
"""Parameters that give every role all it may ever have, and queues a key it needs permission for."""
JOB_NAME_PREFIX = "novabatch"


@dataclass(frozen=True)
class Stack:
    """Where the parts are."""

    bucket: str
    queues: Mapping[str, str]
    rule_arn: str


def environment(url: str) -> dict[str, str]:
    """Return the AWS variables that lead any client to the local AWS."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }


@lru_cache
def client(service: str, url: str, config: Config | None = None, key: str = ACCESS_KEY) -> Any:
    """Return a boto3 client of the local AWS that ignores this machine's own configuration.

    Kept for the next caller: making one costs more than most calls.
    """
    return boto3.client(  # type: ignore[call-overload]  # the service's name is not known here
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )


def create(url: str, bucket: str = BUCKET) -> Stack:
    """Make everything that is not there yet; doing it again changes nothing."""
    made = client("cloudformation", url)
    try:
        made.create_stack(
            StackName=STACK,
            TemplateBody=_template(),
            Parameters=_given(BucketName=bucket, CreateBucket=_if_missing(client("s3", url), bucket), **MOST),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
    return Stack(bucket, {name: queue_url(url, name) for name in QUEUES}, RULE_ARN)


def caller(consumer: str) -> str:
    """Return the access key id by which the local AWS knows a consumer: its role is called after it."""
    return consumer.replace("_", "-")


def queue_url(url: str, name: str) -> str:
    """Return where a queue is."""
    return f"{url}/{ACCOUNT}/{name}"


@cache
def _template() -> str:
    return json.dumps(template.read(template.RESOURCES))


def _given(**parameters: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _if_missing(s3: Any, bucket: str) -> str:
    """Say whether a bucket is to be made, as the template wants to hear it."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        return "yes"
    return "no"
