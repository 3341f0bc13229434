"""What novabatch needs in an AWS account: bucket, queues with dead letters, role, rule for job events."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
ACCOUNT = "123456789012"
ACCESS_KEY = "local"
SECRET_KEY = "local"
BUCKET = "novabatch-local"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/novabatch-bedrock"
SUBMIT_QUEUE = "submit-requests"
STATE_QUEUE = "job-state-changes"
CLEANUP_QUEUE = "cleanup-requests"
EVENTS_QUEUE = "novabatch-events"
RULE = "novabatch-job-state-changes"
JOB_NAME_PREFIX = "novabatch"
MAX_RECEIVE_COUNT = 10
VISIBILITY_SECONDS = 120
DAY = 86_400


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
def client(service: str, url: str, config: Config | None = None) -> Any:
    """Return a boto3 client of the local AWS that ignores this machine's own configuration.

    Kept for the next caller: making one costs more than most calls.
    """
    return boto3.client(  # type: ignore[call-overload]  # the service's name is not known here
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )


def create(url: str, bucket: str = BUCKET) -> Stack:
    """Make everything that is not there yet; doing it again changes nothing."""
    _create_bucket(client("s3", url), bucket)
    sqs = client("sqs", url)
    queues = {name: _create_pair(sqs, name) for name in (SUBMIT_QUEUE, STATE_QUEUE, CLEANUP_QUEUE)}
    queues[EVENTS_QUEUE] = sqs.create_queue(QueueName=EVENTS_QUEUE)["QueueUrl"]
    rule_arn = _create_rule(client("events", url))
    _create_role(client("iam", url))
    _allow(sqs, queues[STATE_QUEUE], rule_arn)
    return Stack(bucket, queues, rule_arn)


def _create_bucket(s3: Any, bucket: str) -> None:
    try:
        s3.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def _create_pair(sqs: Any, name: str) -> str:
    """Make a queue and its dead-letter queue; setting attributes afterwards may be repeated."""
    dead = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"MessageRetentionPeriod": str(14 * DAY)})
    redrive = {"deadLetterTargetArn": _arn(f"{name}-dlq"), "maxReceiveCount": MAX_RECEIVE_COUNT}
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    attributes = {
        "MessageRetentionPeriod": str(4 * DAY),
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "RedrivePolicy": json.dumps(redrive),
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return url


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def _create_rule(events: Any) -> str:
    pattern = {
        "source": ["aws.bedrock"],
        "detail-type": ["Batch Inference Job State Change"],
        "detail": {"batchJobName": [{"prefix": JOB_NAME_PREFIX}]},
    }
    arn = events.put_rule(Name=RULE, EventPattern=json.dumps(pattern), State="ENABLED")["RuleArn"]
    events.put_targets(Rule=RULE, Targets=[{"Id": STATE_QUEUE, "Arn": _arn(STATE_QUEUE)}])
    return str(arn)


def _create_role(iam: Any) -> None:
    """Make the role that Bedrock takes on; nothing here asks what it allows."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    try:
        iam.create_role(RoleName=ROLE_ARN.rpartition("/")[2], AssumeRolePolicyDocument=trust)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise


def _allow(sqs: Any, queue_url: str, rule_arn: str) -> None:
    statement = {
        "Sid": "JobStateChanges",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": _arn(STATE_QUEUE),
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy)})
