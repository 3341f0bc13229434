"""A file is forgotten through the front door: command line, real consumers, a versioned bucket."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from daemon.adapters.tables import metadata
from deploy.local import processes, stack
from tests.e2e.machine import Machine, machine

SECRET = "Smith at the pool"
KEY = f"proxy_video/{SECRET}, 7.mov"
URI = f"s3://{stack.BUCKET}/{KEY}"


@pytest.mark.timeout(240)
def test_a_file_is_forgotten_in_every_batch_and_a_kill_in_the_middle_leaves_nothing_of_it(
    tmp_path: Path,
) -> None:
    with machine(tmp_path) as running:
        running.s3.put_bucket_versioning(Bucket=stack.BUCKET, VersioningConfiguration={"Status": "Enabled"})
        batches = [post(running, "first"), post(running, "second")]
        assert processes.wait_until(running.is_clean, 60)
        assert traces(running)

        running.kill("job_state")
        assert novabatch(running, "forget", URI, "--yes", "--wait", "1").returncode == 1
        running.start("job_state")
        assert processes.wait_until(lambda: traces(running) == [], 60)
        again = novabatch(running, "forget", "7", "--yes", "--wait", "60")
        assert (again.returncode, "known no more" in again.stderr) == (1, True), again.stderr

        assert traces(running) == []
        assert running.s3.get_object(Bucket=stack.BUCKET, Key=KEY)["Body"].read() == b"seven"
        for batch_id in batches:
            assert {line["file_id"] for line in running.results(batch_id)} == {"first-1", "first-2"}
        asked = novabatch(running, "audit").stdout
        assert "forget" in asked
        assert SECRET not in asked


def post(running: Machine, label: str) -> str:
    """Have a batch with the secret's file brought to its end; the second one links what the first bought."""
    running.s3.put_object(Bucket=stack.BUCKET, Key=KEY, Body=b"seven")
    files = next(iter(running.posted.values()), None) or [
        *running.originals("first", 2),
        {"file_id": 7, "s3_key": KEY, "context": {"path": SECRET}},
    ]
    batch_id = running.post(label, files)
    running.wait_for_end([batch_id])
    return batch_id


def novabatch(running: Machine, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "daemon", *words]
    env = {**os.environ, **running.local.environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


def traces(running: Machine) -> list[str]:
    """Name each object of ours, old versions too, and each table that still tells of the file."""
    found: list[str] = []
    pages = running.s3.get_paginator("list_object_versions").paginate(Bucket=stack.BUCKET)
    for version in (each for page in pages for each in page.get("Versions", [])):
        found += [version["Key"]] if version["Key"] != KEY and tells(running, version) else []
    with running.store.database.read() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table)).all()
            found += [f"table {table.name}" for row in rows if SECRET in repr(row)]
    return found


def tells(running: Machine, version: dict[str, Any]) -> bool:
    place = {"Bucket": stack.BUCKET, "Key": version["Key"], "VersionId": version["VersionId"]}
    try:
        body = running.s3.get_object(**place)["Body"].read()
    except ClientError as gone:
        if gone.response["Error"]["Code"] in ("NoSuchVersion", "NoSuchKey"):
            return False  # deleted since it was listed
        raise
    text = gzip.decompress(body) if version["Key"].endswith(".gz") else body
    return SECRET.encode() in text or b"file-7:" in text or SECRET in version["Key"]
