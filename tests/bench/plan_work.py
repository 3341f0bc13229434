"""The pieces of the bench of planning, each to be run in a process of its own; they tell the MB they took."""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from consumers.core import layout
from consumers.core.chunks import Piece, cut_ahead
from consumers.core.cutting import limits
from consumers.core.lifecycle import ChunkState
from consumers.core.objects import Writer
from consumers.core.rows import Chunk, ChunkFile, SentRecord
from consumers.core.world import World
from consumers.submit.listed_lines import read_line
from consumers.submit.requesting import write_manifest
from schemas.analyses import REGISTRY
from schemas.messages import Terms
from schemas.models import load_models
from tests.bench.child import peak_mb
from tests.bench.planning import POLICY, SIZE, ManyObjects

MODEL = "us.amazon.nova-2-lite-v1:0"
WINDOW = 6000
MAX_FILES, MAX_BYTES = 150, 4_500_000_000
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
Work = Callable[[], float]


def _grown(work: Callable[[], object]) -> Work:
    """Let a piece of work tell by how many MB the process grew."""

    def measured() -> float:
        before = peak_mb()
        work()
        return peak_mb() - before

    return measured


# ── a whole plan ───────────────────────────────────────────────────────────────────────────────


def naive_plan(url: str, count: int) -> Callable[[], None]:
    """Read a whole list, then store file by file, each with a connection and a commit of its own."""
    database = make_url(url).database

    def work() -> None:
        archive = ManyObjects(count)
        lines = b"\n".join(line for _, line in archive.lines("all.jsonl"))
        for file in [json.loads(line) for line in lines.splitlines()]:
            archive.info(file["s3_key"])
            with closing(sqlite3.connect(str(database))) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS naive (id INTEGER PRIMARY KEY, key TEXT)")
                connection.execute("INSERT INTO naive VALUES (?, ?)", (file["file_id"], file["s3_key"]))
                connection.commit()

    return work


# ── lines to chunks ────────────────────────────────────────────────────────────────────────────


def naive_split(count: int) -> Work:
    """Read a whole file of lines into memory, and cut it with a loop."""
    path = _list_of(count)

    def work() -> None:
        with path.open("rb") as source:
            files = [json.loads(line) for line in source.read().splitlines()]
        chunks: list[list[dict[str, Any]]] = [[]]
        size = 0
        for file in files:
            if len(chunks[-1]) == MAX_FILES or size + file["size_bytes"] > MAX_BYTES:
                chunks.append([])
                size = 0
            chunks[-1].append(file)
            size += file["size_bytes"]
        path.unlink()

    return _grown(work)


def our_split(count: int) -> Work:
    """Read line after line by the rules of a message, and cut window after window."""
    path = _list_of(count)
    model = load_models().find(MODEL)
    assert model is not None
    bounds = limits(POLICY, model)

    def work() -> None:
        with path.open("rb") as source:
            pieces = _pieces(source)
            window = list(islice(pieces, WINDOW))
            while window:
                complete = len(window) < WINDOW
                ahead = cut_ahead(window, bounds, complete)
                window = window[ahead.kept_from :]
                window += islice(pieces, WINDOW - len(window))
        path.unlink()

    return _grown(work)


def _pieces(source: Iterator[bytes]) -> Iterator[Piece]:
    for position, line in enumerate(source):
        file = read_line(line)
        assert not isinstance(file, str)
        yield Piece(position, file.size_bytes or 0, records=1)


def _list_of(count: int) -> Path:
    archive = ManyObjects(count)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as out:
        for number in range(count):
            file = {"file_id": number, "s3_key": archive.key(number), "size_bytes": SIZE}
            out.write(json.dumps(file) + "\n")
    return Path(out.name)


# ── a manifest ─────────────────────────────────────────────────────────────────────────────────


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

    return _grown(work)


def our_manifest(count: int) -> Work:
    """Write the manifest as staging does, to a file instead of S3."""
    chunk, files = _chunk(count)
    nothing: Any = None
    objects: Any = _ToFile()
    world = World(
        NOW, POLICY, load_models(), REGISTRY, nothing, objects, nothing, nothing, nothing, lambda: None
    )
    model = world.models.find(MODEL)
    assert model is not None
    return _grown(lambda: write_manifest(chunk, files, model, world))


class _ToFile:
    """As much of the port ``Objects`` as writing a manifest needs."""

    @contextmanager
    def writer(self, key: str, *, content_type: str, if_absent: bool = False) -> Iterator[Writer]:
        with tempfile.TemporaryFile() as out:
            yield out


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
