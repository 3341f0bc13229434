"""Whose name the calls to AWS will be made in, and where they go."""

import boto3

from consumers.core.faults import Denied, Rejected
from daemon.adapters.aws import faults_of


def identity() -> str:
    """Say where credentials come from, in which Region, to which endpoint; raises Denied without any."""
    session = boto3.session.Session()
    with faults_of("reading", "the AWS configuration"):
        credentials = session.get_credentials()
        if session.region_name is None:
            raise Rejected("no Region is set: set AWS_REGION")
        endpoint = session.client("sqs").meta.endpoint_url
    if credentials is None:
        raise Denied("no AWS credentials were found")
    return f"from {credentials.method}, Region {session.region_name}, queues at {endpoint}"
