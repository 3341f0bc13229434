"""Loaded by the process that consumers are forked from: whatever takes long to load, loaded once.

Imported for that alone; see ``forks``.
"""

import functools
import importlib
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

from daemon.adapters import aws

MODULES = (
    "alembic.command",
    "consumers.cleanup",
    "consumers.job_state",
    "consumers.submit",
    "daemon.cli.access",
    "daemon.cli.rebuilding",
    "daemon.cli.reconciling",
    "daemon.cli.running",
    "daemon.cli.steering",
    "daemon.run",
)


class ReadOnce(JSONFileLoader):
    """Reads each of botocore's files once; it reads megabytes of them for every client otherwise."""

    _read = functools.cache(JSONFileLoader().load_file)

    def load_file(self, file_path: str) -> Any:
        return ReadOnce._read(file_path)


for name in MODULES:
    importlib.import_module(name)
Loader.FILE_LOADER_CLASS = ReadOnce
for service in ("s3", "sqs", "bedrock"):
    aws.make_client(service, region="us-east-1")
