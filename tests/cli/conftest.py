"""The command line over a fresh store, alone or with the local AWS."""

from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.store import SqlStore
from deploy.local import stack
from deploy.local.processes import Server
from tests.cli.command_line import CommandLine


@pytest.fixture
def cli(sqlite_store: SqlStore, tmp_path: Path) -> CommandLine:
    """The command line where AWS cannot be reached."""
    return CommandLine(tmp_path)


@pytest.fixture
def cloud(cli: CommandLine, fresh_aws: Server) -> CommandLine:
    """The command line with the local AWS and its stack."""
    stack.create(fresh_aws.url)
    cli.url = fresh_aws.url
    return cli


@pytest.fixture
def sqs(cloud: CommandLine) -> Any:
    """A client of the local queues."""
    return stack.client("sqs", cloud.url)


@pytest.fixture
def s3(cloud: CommandLine) -> Any:
    """A client of the local bucket."""
    return stack.client("s3", cloud.url)
