"""Taking in the output of a job, to be run in a process of its own over a database with an ended chunk."""

from collections.abc import Callable

from consumers.core.lifecycle import ChunkState
from daemon.adapters.store import SqlStore, make_engine
from tests.bench.output import Output
from tests.contracts.ingesting import FIRST_FILE, ingest


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
