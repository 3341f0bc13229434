"""Emptying the folders of finished chunks: list, delete, look again."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from consumers.core import layout
from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore
from daemon.adapters.tables import chunks
from deploy.local.processes import wait_until
from schemas.messages import CleanupChunk
from tests.bench import child
from tests.bench.machine import consumers, settings
from tests.bench.rounds import interleaved
from tests.bench.stub.client import MILLISECONDS_30, Stub, stub
from tests.bench.stub.s3 import BUCKET
from tests.bench.table import Scale, Table, Target
from tests.contracts.planting import NOW, plant
from tests.databases import make_sqlite_store

CHUNKS = {Scale.TINY: 2, Scale.SHORT: 20, Scale.FULL: 20}
FILES = {Scale.TINY: 3, Scale.SHORT: 150, Scale.FULL: 150}
ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.FULL: 5}
NAIVE, OURS = "naive: boto3, folder by folder", "run cleanup, 8 places"
CALLS = ("ListObjectsV2", "ListObjectVersions", "DeleteObjects")


MARGIN = "a chunk's lease and rows are part of it; the ratio lies about its bound"


def tables(scale: Scale) -> Iterator[Table]:
    """Clean the same folders in both ways."""
    with stub(scale) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = make_sqlite_store(folder)
        with consumers(scale, ["cleanup"], settings(server, folder), folder):
            yield _table(server, store, scale)
        store.engine.dispose()


def _table(server: Stub, store: SqlStore, scale: Scale) -> Table:
    calls: dict[str, float] = {}
    numbers = iter(range(100))

    def measure(way: Callable[[Sequence[str]], float], name: str) -> float:
        folders = _finished(store, f"{name} {next(numbers)}", CHUNKS[scale])
        server.reset(s3=MILLISECONDS_30)
        for each in folders.values():
            server.control("fill", prefix=layout.input_prefix(each) + layout.FILES_FOLDER, count=FILES[scale])
            server.control("fill", prefix=layout.output_prefix(each), count=1)
        took = way([*folders] if name == OURS else [*folders.values()])
        counts = server.told()["counts"]
        calls[name] = sum(counts.get(call, 0) for call in CALLS) / len(folders) / 2
        return took / len(folders)

    ways = {NAIVE: partial(_naive, scale, server), OURS: partial(_ours, server)}
    took = interleaved(ROUNDS[scale], {name: partial(measure, way, name) for name, way in ways.items()})
    return Table(
        f"clean: {CHUNKS[scale]} chunks of {FILES[scale]} files and their output, 30 ms a request",
        ("way", "ms a chunk", "× naive", "requests a folder"),
        [(name, took[name] * 1000, took[NAIVE] / took[name], calls[name]) for name in ways],
        [
            Target("× naive", took[NAIVE] / took[OURS], "≥", 5, MARGIN),
            Target("requests a folder", calls[OURS], "≤", 4),
        ],
        "A chunk has two folders, input and output. Ours takes the chunk's lease, looks again and stores it.",
    )


def _finished(store: SqlStore, request_id: str, count: int) -> dict[str, str]:
    """Put ended chunks into the store; returns their folders by id."""
    ids = plant(store, request_id, chunks=count, files=1)
    which = chunks.c.chunk_id.in_(ids)
    with store.engine.begin() as connection:
        ended = {"state": ChunkState.COMPLETED.value, "preparing_at": NOW, "finished_at": NOW}
        connection.execute(update(chunks).where(which).values(ended))
        found = connection.execute(select(chunks.c.chunk_id, chunks.c.folder).where(which))
        return {row.chunk_id: row.folder for row in found}


def _naive(scale: Scale, server: Stub, folders: Sequence[str]) -> float:
    return child.run(scale, "tests.bench.clean:naive", server.environment, folders=folders).seconds


@contextmanager
def naive(folders: Sequence[str]) -> Iterator[Callable[[], None]]:
    """List and delete one folder after another, and believe the answer."""
    import boto3

    client = boto3.client("s3")

    def work() -> None:
        for folder in folders:
            for prefix in layout.temporary_prefixes(folder):
                found = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
                keys: Any = [{"Key": each["Key"]} for each in found.get("Contents", ())]
                client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})

    yield work
    client.close()


def _ours(server: Stub, ids: Sequence[str]) -> float:
    for chunk_id in ids:
        body = CleanupChunk(chunk_id=chunk_id).model_dump_json()
        server.control("send", queue="cleanup-requests", body=body, count=1)
    lists = 4 * len(ids)
    assert wait_until(lambda: _looked(server) >= lists, 60), server.told()
    threading.Event().wait(0.05)
    told = server.told()
    took: float = told["s3_seconds"]
    return took + MILLISECONDS_30  # the last call's answer


def _looked(server: Stub) -> int:
    counts: dict[str, int] = server.told()["counts"]
    return counts.get("ListObjectVersions", 0)
