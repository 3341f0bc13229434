"""What a finished file keeps in the database: bytes, beside the text of its answer alone."""

import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import text

from daemon.adapters.store import SqlStore, make_engine
from tests.bench.claim import Database, sqlite_database
from tests.bench.ingest import RECORDS
from tests.bench.output import ANSWER, Output
from tests.bench.table import Scale, Table, Target
from tests.contracts.ingesting import FIRST_FILE, ended_chunk, ingest
from tests.databases import postgres_server

SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    "postgresql": "SELECT pg_database_size(current_database())",
}
ANSWER_BYTES = len(json.dumps(ANSWER, separators=(",", ":")).encode())


def tables(scale: Scale) -> Iterator[Table]:
    """Plan a chunk, take its output in, and weigh the database before and after."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        found["SQLite"] = _kept(partial(sqlite_database, Path(folder)), scale)
    if scale is not Scale.TINY:
        with postgres_server() as server:
            if server is not None:
                found["PostgreSQL"] = _kept(server.database, scale)
    yield Table(
        f"keep: {RECORDS[scale]:,} files with an answer each of {ANSWER_BYTES:,} bytes",
        ("database", "bytes a file", "× the answer", "GB for 10,000,000 files"),
        [(name, kept, kept / ANSWER_BYTES, kept / 100) for name, kept in found.items()],
        [
            Target(f"{name}: bytes kept × the answer's", kept / ANSWER_BYTES, "≤", 2)
            for name, kept in found.items()
        ],
        "Rows of files, records, chunk and job with their indexes, as they are after the chunk's end.",
    )


def _kept(database: Database, scale: Scale) -> float:
    with database() as url:
        store = SqlStore(make_engine(url))
        before = _size(store)
        chunk_id = ended_chunk(store, RECORDS[scale])
        ingest(store, Output(RECORDS[scale], FIRST_FILE), chunk_id)
        after = _size(store)
        store.engine.dispose()
    return (after - before) / RECORDS[scale]


def _size(store: SqlStore) -> int:
    with store.database.read() as connection:
        return int(connection.execute(text(SIZE[connection.dialect.name])).scalar_one())
