"""Scale-out: one batch, whose copies wait on the network, worked by one submit process and by six."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.local.processes import wait_until
from tests.bench.machine import consumers, settings
from tests.bench.stub.client import Stub, stub
from tests.bench.stub.s3 import ORIGINALS
from tests.bench.table import Scale, Table, Target
from tests.databases import Postgres, make_sqlite_store, postgres_server

FILES = {Scale.TINY: 8, Scale.SHORT: 6000, Scale.FULL: 12_000}
FILES_A_CHUNK = 20
LATENCY = {Scale.TINY: 0.0, Scale.SHORT: 0.5, Scale.FULL: 0.5}
PROCESSES = {Scale.TINY: (1, 2), Scale.SHORT: (1, 2, 6), Scale.FULL: (1, 2, 4, 6)}
COPY_CONCURRENCY = 32
WAIT_SECONDS = 300


def tables(scale: Scale) -> Iterator[Table]:
    """Measure how long the copies of one batch take, and what was done more than once."""
    with ExitStack() as stack:
        postgres = None if scale is Scale.TINY else stack.enter_context(postgres_server())
        yield _table(scale, stack.enter_context(stub(scale)), postgres)


def _table(scale: Scale, server: Stub, postgres: Postgres | None) -> Table:
    files = FILES[scale]
    told = {number: _staged(scale, server, postgres, number) for number in PROCESSES[scale]}
    one, *_, most = PROCESSES[scale]
    seconds = {number: each["copying_seconds"] for number, each in told.items()}
    copies = {number: each["counts"]["CopyObject"] for number, each in told.items()}
    return Table(
        f"scale: one batch of {files:,} files, copied at {LATENCY[scale] * 1000:.0f} ms a request",
        ("submit processes", "seconds", "copies/s", "× one", "copies/file"),
        [
            (str(each), seconds[each], files / seconds[each], seconds[one] / seconds[each],
             copies[each] / files)
            for each in PROCESSES[scale]
        ],
        [
            Target(f"{most} processes × one", seconds[one] / seconds[most], "≥", 4),
            Target("copies a file, at most", max(copies.values()) / files, "≤", 1),
        ],
        f"PostgreSQL, COPY_CONCURRENCY {COPY_CONCURRENCY}: the latency alone allows "
        f"{COPY_CONCURRENCY / max(LATENCY[scale], 1e-3):,.0f} copies/s a process.",
    )  # fmt: skip


def _staged(scale: Scale, server: Stub, postgres: Postgres | None, number: int) -> dict[str, Any]:
    """Post a batch and wait for the last manifest; returns what the stub counted."""
    files = FILES[scale]
    chunks = -(-files // FILES_A_CHUNK)
    server.reset(s3=LATENCY[scale])
    server.control("fill", prefix=f"{ORIGINALS}clip_", count=files)
    request = {"request_id": "bench", "model": "nova-2-lite", "files_from": {"prefix": ORIGINALS}}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = {
            "NOVABATCH_COPY_CONCURRENCY": str(COPY_CONCURRENCY),
            "NOVABATCH_MAX_FILES_PER_CHUNK": str(FILES_A_CHUNK),
            "NOVABATCH_STAGE_AHEAD": str(chunks),
        }
        if postgres is not None:
            own["NOVABATCH_DATABASE_URL"] = stack.enter_context(postgres.database())
        else:
            make_sqlite_store(folder).engine.dispose()
        environment = settings(server, folder, **own)
        stack.enter_context(consumers(scale, ["submit"] * number, environment, folder))
        server.control("send", queue="submit-requests", body=json.dumps(request), count=1)
        assert wait_until(lambda: _put(server) >= chunks + 1, WAIT_SECONDS), server.told()
        return server.told()


def _put(server: Stub) -> int:
    count: int = server.told()["counts"].get("PutObject", 0)
    return count
