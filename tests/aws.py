"""The local AWS as a fixture for single tests, and the product's clients for any endpoint."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from daemon.adapters.aws import make_client
from deploy.local.processes import Server
from deploy.local.stack import environment

if TYPE_CHECKING:
    from mypy_boto3_bedrock import BedrockClient
    from mypy_boto3_s3 import S3Client

pytest_plugins = ["tests.contracts.local_aws_fixtures"]

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


@pytest.fixture
def fresh_aws(emulator_server: Server) -> Iterator[Server]:
    """The local AWS, emptied, without faults and with its first settings; left so for the next test."""
    emulator_server.control.reset()
    yield emulator_server
    emulator_server.control.reset()
