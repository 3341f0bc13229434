"""Ways to take in a job's output, each run in a process of its own over a database with an ended chunk."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import msgspec
import psycopg
from sqlalchemy import make_url

from consumers.core.layout import parse_chunk_id
from consumers.core.lifecycle import ChunkState
from consumers.core.rows import Leased
from consumers.job_state.output import read_output
from daemon.adapters.store import SqlStore, make_engine
from tests.bench.output import Output
from tests.contracts.ingesting import FIRST_FILE, ingest, world_over
from tests.contracts.planting import hold_chunk

LINES_AT_ONCE = 300
WRITE = (
    "UPDATE records SET outcome = {0}, result = {0}, stop_reason = {0}, input_tokens = {0}, "
    "output_tokens = {0}, cost_usd = {0}, prompt_version = {0}, created_at = {0}, retryable = {0}, "
    "repaired = {0}, missing = {0}, error_code = {0}, error_message = {0}, raw_text = {0} "
    "WHERE batch_id = {0} AND analysis_type = 'combined' AND attempt = 1 "
    "AND position = (SELECT position FROM files WHERE batch_id = {0} AND file_id = {0})"
)
"""A line tells the file by the sender's name; in the table its place in the plan tells it."""

VERSION, NOW = "0123456789ab", "2026-01-05 10:00:00.000000+00:00"
Row = tuple[object, ...]


class _Answer(msgspec.Struct, rename="camel"):
    output: dict[str, Any]
    stop_reason: str
    usage: dict[str, Any]


class _Line(msgspec.Struct, rename="camel"):
    record_id: str
    model_output: _Answer


def ours(url: str, chunk_id: str, count: int) -> Callable[[], int]:
    """Read the output as ``ingest_chunk`` does; returns how many records are stored."""
    store = SqlStore(make_engine(url))

    def work() -> int:
        ingest(store, Output(count, FIRST_FILE), chunk_id)
        chunk = store.chunk(chunk_id)
        assert chunk is not None
        assert chunk.state is ChunkState.COMPLETED
        stored = sum(store.outcomes(chunk_id).values())
        store.engine.dispose()
        return stored

    return work


def taken_in(url: str, chunk_id: str, count: int) -> Callable[[], None]:
    """Read, judge and store as we do, without what follows: the part, the sums, the end."""
    store = SqlStore(make_engine(url))
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    held = hold_chunk(store, chunk_id)
    assert held.kind is Leased.CHUNK
    world = world_over(store, Output(count, FIRST_FILE))

    def work() -> None:
        assert read_output(chunk, held, world) is not None
        store.engine.dispose()

    return work


def limit(url: str, chunk_id: str, count: int) -> Callable[[], None]:
    """Decode what must be decoded and give it to the driver in pages; nothing is checked."""
    batch_id, decode = parse_chunk_id(chunk_id).batch_id, msgspec.json.Decoder(_Line).decode
    connection, mark = _connect(url)

    def row(line: bytes) -> Row:
        told = decode(line)
        answer = told.model_output
        words = answer.output["message"]["content"][0]["text"]
        msgspec.json.decode(words)
        return _row(batch_id, told.record_id[5:-9], words, answer.stop_reason, answer.usage)

    def work() -> None:
        page: list[Row] = []
        for _, line in Output(count, FIRST_FILE).lines(""):
            page.append(row(line))
            if len(page) == LINES_AT_ONCE:
                _write(connection, mark, page)
                page = []
        _write(connection, mark, page)
        connection.close()

    return work


def naive(url: str, chunk_id: str, count: int) -> Callable[[], None]:
    """For each file read the whole output, connect, write the one row, commit."""
    batch_id = parse_chunk_id(chunk_id).batch_id

    def work() -> None:
        for number in range(FIRST_FILE, FIRST_FILE + count):
            body = b"".join(Output(count, FIRST_FILE).blocks())
            lines = [json.loads(line) for line in body.splitlines()]
            told = next(line for line in lines if line["recordId"] == f"file-{number}:combined")
            answer = told["modelOutput"]
            words = answer["output"]["message"]["content"][0]["text"]
            result = json.dumps(json.loads(words))
            connection, mark = _connect(url)
            with closing(connection):
                _write(
                    connection,
                    mark,
                    [_row(batch_id, str(number), result, answer["stopReason"], answer["usage"])],
                )

    return work


def _row(batch_id: str, file_id: str, result: str, stop_reason: str, usage: dict[str, Any]) -> Row:
    answered = (
        "SUCCEEDED",
        result,
        stop_reason,
        usage["inputTokens"],
        usage["outputTokens"],
        1,
        VERSION,
        NOW,
    )
    return *answered, False, False, 0, None, None, None, batch_id, batch_id, file_id


def _connect(url: str) -> tuple[Any, str]:
    """Return a connection of the driver alone, and its mark for a parameter."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        lite = sqlite3.connect(str(parsed.database), isolation_level="IMMEDIATE")
        lite.execute("PRAGMA synchronous = NORMAL")
        return lite, "?"
    address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address), "%s"


def _write(connection: Any, mark: str, page: Sequence[Row]) -> None:
    if page:
        with closing(connection.cursor()) as cursor:
            cursor.executemany(WRITE.format(mark), page)
        connection.commit()
