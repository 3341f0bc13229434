"""Three ways to write a manifest, each to be run in a process of its own; they tell the MB they took."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from consumers.core import layout
from consumers.core.lifecycle import ChunkState
from consumers.core.objects import Writer
from consumers.core.rows import Chunk, ChunkFile, SentRecord
from consumers.core.world import World
from consumers.submit.requesting import write_manifest
from schemas.analyses import REGISTRY
from schemas.messages import Terms
from schemas.models import load_models
from tests.bench.plan_work import MODEL, Work, grown
from tests.bench.planning import POLICY, SIZE, ManyObjects

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


def naive_manifest(count: int) -> Work:
    """Build every record as a dict, then write all of them at once."""
    chunk, files = _chunk(count)

    def work() -> None:
        asked = REGISTRY.find("combined", "video")
        assert asked is not None
        options, records = chunk.terms.options, []
        for file in files:
            uri = layout.s3_uri("media", layout.file_key(chunk.folder, file.safe_name))
            prompt = asked.prompt(options, {"file_name": file.safe_name, "s3_key": file.s3_key})
            video = {"video": {"format": "mov", "source": {"s3Location": {"uri": uri}}}}
            messages = [{"role": "user", "content": [video, {"text": prompt}]}]
            body = {"messages": messages, "inferenceConfig": {"maxTokens": 4096}}
            records.append({"recordId": f"file-{file.file_id}:combined", "modelInput": body})
        text = "\n".join(json.dumps(record) for record in records)
        with tempfile.TemporaryFile() as out:
            out.write(text.encode())

    return grown(work)


def our_manifest(count: int) -> Work:
    """Write the manifest as staging does, to a file instead of S3."""
    chunk, files = _chunk(count)
    world = _world(_ToFile())
    model = world.models.find(MODEL)
    assert model is not None
    return grown(lambda: write_manifest(chunk, files, model, world))


def limit_manifest(count: int) -> Work:
    """Write lines that are ready-made, one by one."""
    chunk, files = _chunk(1)
    kept: list[bytes] = []
    world = _world(_Kept(kept))
    model = world.models.find(MODEL)
    assert model is not None
    write_manifest(chunk, files, model, world)

    def work() -> None:
        with tempfile.TemporaryFile() as out:
            for _ in range(count):
                out.write(kept[0])

    return grown(work)


class _ToFile:
    """As much of the port ``Objects`` as writing a manifest needs."""

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        with tempfile.TemporaryFile() as out:
            yield out


class _Kept:
    """The same for a list."""

    def __init__(self, kept: list[bytes]) -> None:
        self._kept = kept

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Any]:
        yield self

    def write(self, data: bytes) -> None:
        self._kept.append(data)


def _world(objects: Any) -> World:
    nothing: Any = None
    return World(
        NOW, POLICY, load_models(), REGISTRY, nothing, objects, nothing, nothing, nothing, lambda: None
    )


def _chunk(count: int) -> tuple[Chunk, Sequence[ChunkFile]]:
    batch_id = layout.batch_id("bench")
    archive = ManyObjects(count)
    files = [
        ChunkFile(n, str(n), "media", archive.key(n), SIZE, "e", None, f"clip_{n}.mov", {},
                  (SentRecord("combined", 1, 4096),))
        for n in range(count)
    ]  # fmt: skip
    chunk = Chunk(
        chunk_id=layout.chunk_id(batch_id, 0), batch_id=batch_id, index=0, round=0,
        state=ChunkState.PREPARING, model=MODEL, terms=Terms(request_id="bench", model=MODEL),
        folder=layout.folder_name(NOW, batch_id, 0), files=count, records=count, padding=0, bytes=0,
        cancelled=False, created_at=NOW, ready_at=None, cleaned_at=None, last_error="", failures={},
        unread=False, job=None,
    )  # fmt: skip
    return chunk, files
