"""The pieces of the bench of planning, each to be run in a process of its own; they tell the MB they took."""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import make_url

from consumers.core.chunks import Piece, cut_ahead
from consumers.core.cutting import limits
from consumers.submit.listed_lines import read_line
from schemas.models import load_models
from tests.bench.child import peak_mb
from tests.bench.planning import POLICY, SIZE, ManyObjects, plan_files

MODEL = "us.amazon.nova-2-lite-v1:0"
WINDOW = 6000
MAX_FILES, MAX_BYTES = 150, 4_500_000_000
PLANNED = ("files", "chunks", "chunk_files", "records")
PAGE = 1000
Work = Callable[[], float]


def grown(work: Callable[[], object]) -> Work:
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


def limit_plan(url: str, count: int) -> Callable[[], None]:
    """Write the rows of such a plan once more by the bare driver, a thousand in a transaction."""
    plan_files(url, count)()
    database = sqlite3.connect(str(make_url(url).database), isolation_level=None)
    rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in PLANNED}
    for name in reversed(PLANNED):
        database.execute(f"DELETE FROM {name}")

    def work() -> None:
        for name in PLANNED:
            places = ", ".join("?" * len(rows[name][0]))
            for first in range(0, len(rows[name]), PAGE):
                database.execute("BEGIN IMMEDIATE")
                some = rows[name][first : first + PAGE]
                database.executemany(f"INSERT INTO {name} VALUES ({places})", some)
                database.execute("COMMIT")
        database.close()

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

    return grown(work)


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

    return grown(work)


class _Bare(msgspec.Struct):
    file_id: int
    s3_key: str
    size_bytes: int


def limit_split(count: int) -> Work:
    """Decode each line once and count; nothing is checked and nothing kept."""
    path = _list_of(count)
    decoder = msgspec.json.Decoder(_Bare)

    def work() -> None:
        files = size = 0
        with path.open("rb") as source:
            for line in source:
                file = decoder.decode(line)
                files, size = files + 1, size + file.size_bytes
                if files > MAX_FILES or size > MAX_BYTES:
                    files, size = 1, file.size_bytes
        path.unlink()

    return grown(work)


def _pieces(source: Iterator[bytes]) -> Iterator[Piece]:
    for position, line in enumerate(source):
        file = read_line(line)
        assert not isinstance(file, str)
        yield Piece(position, file.size_bytes or 0, 1)


def _list_of(count: int) -> Path:
    archive = ManyObjects(count)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as out:
        for number in range(count):
            file = {"file_id": number, "s3_key": archive.key(number), "size_bytes": SIZE}
            out.write(json.dumps(file) + "\n")
    return Path(out.name)
