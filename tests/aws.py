"""Fixtures that speak to AWS: the local one as a process of its own, and clients for any endpoint."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.aws import make_client
from deploy.local.processes import Server, start_server, stop
from deploy.local.stack import environment

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_s3 import S3Client

# What a developer's machine may hold must not reach a test.
OWN_CONFIGURATION = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def s3_client(url: str, connections: int = 10) -> "S3Client":
    """Make the product's own client, led to an endpoint as in production: by the environment."""
    with _led_to(url):
        return make_client("s3", connections=connections)


def bedrock_client(url: str) -> "BedrockClient":
    """Make the product's own client, led to an endpoint as in production: by the environment."""
    with _led_to(url):
        return make_client("bedrock")


@contextmanager
def _led_to(url: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as variables:
        variables.delenv("AWS_PROFILE", raising=False)
        for name, value in {**environment(url), **OWN_CONFIGURATION}.items():
            variables.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The local AWS, one for each test process; tests take buckets and names of their own in it."""
    server = start_server(tmp_path_factory.mktemp("aws"))
    yield server
    stop([server.child])


@pytest.fixture
def aws(local_aws: Server) -> Iterator[Server]:
    """The local AWS, emptied, without faults and with its first settings."""
    local_aws.control.reset()
    yield local_aws
    local_aws.control.clear_faults()
