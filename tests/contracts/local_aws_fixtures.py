"""The local AWS as a fixture: one server process per test session, emptied before each test."""

from collections.abc import Iterator

import pytest

from deploy.local import processes, stack
from deploy.local.processes import Server
from tests.contracts.local_aws import AS_GIVEN, LocalAws


@pytest.fixture(scope="session")
def emulator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = processes.start_server(tmp_path_factory.mktemp("aws"), step_seconds=0.02)
    yield server
    processes.stop([server.child])


@pytest.fixture(scope="session")
def emulator_clients(emulator_server: Server) -> LocalAws:
    services = ("s3", "sqs", "events", "bedrock")
    clients = {name: stack.client(name, emulator_server.url, AS_GIVEN) for name in services}
    return LocalAws(emulator_server.url, emulator_server.control, **clients)


@pytest.fixture
def emulator(emulator_clients: LocalAws) -> LocalAws:
    """The local AWS, empty but for a bucket."""
    emulator_clients.reset()
    return emulator_clients
