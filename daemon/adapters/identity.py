"""Whose name the calls to AWS will be made in, and where they go."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from consumers.core.faults import Denied, Rejected
from daemon.adapters.aws import configured, fault_of, faults_of, make_client


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as AWS knows them."""

    account: str
    arn: str

    def role(self, name: str) -> str:
        """Return the ARN of a role of the same account, one without a path."""
        _, partition, _ = self.arn.split(":", 2)
        return f"arn:{partition}:iam::{self.account}:role/{name}"


def identity() -> str:
    """Say where credentials come from, in which Region, to which endpoint; raises Denied without any."""
    with configured():
        session = boto3.session.Session()
        credentials = session.get_credentials()
        if session.region_name is None:
            raise Rejected("no Region is set: set AWS_REGION")
        endpoint = session.client("sqs").meta.endpoint_url
    if credentials is None:
        raise Denied("no AWS credentials were found")
    return f"from {credentials.method}, Region {session.region_name}, queues at {endpoint}"


def caller(region: str) -> Caller:
    """Ask AWS whose the credentials are; that takes no permission."""
    with faults_of("GetCallerIdentity", "of these credentials"):
        answer = make_client("sts", region=region).get_caller_identity()
    return Caller(answer["Account"], answer["Arn"])


def time_at(client: Any, bucket: str) -> datetime:
    """Read the time from the Date header of S3's answer, be it yes or no."""
    call = "HeadBucket"
    try:
        answer = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except BotoCoreError as error:
        raise fault_of(error, call, bucket) from error
    told = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(told)
    except ValueError as error:
        raise Rejected(f"{call} {bucket}: the answer has no date that can be read: {told!r}") from error
