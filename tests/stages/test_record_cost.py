"""What a record asks of the database does not grow with the records of its chunk."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from consumers.core.rows import Chunk
from daemon.adapters.store import SqlStore
from schemas.outcomes import Outcome
from tests.bench.output import Output
from tests.contracts.ingesting import FIRST_FILE, ended_chunk, ingest
from tests.contracts.planting import NOW, hold_chunk, judged
from tests.contracts.working import work_of
from tests.stages.conftest import emptied

FEW, MANY = 1000, 4000
GROWTH = 1.1 * MANY / FEW

STREAMS: dict[str, Callable[[SqlStore, Chunk], Iterator[Any]]] = {
    "results of a chunk": lambda store, chunk: store.result_rows(chunk.batch_id, chunk.chunk_id),
    "results of a batch": lambda store, chunk: store.result_rows(chunk.batch_id),
    "superseded attempts": lambda store, chunk: store.superseded_rows(chunk.batch_id),
    "failed records of a chunk": lambda store, chunk: store.failed_of(chunk.chunk_id),
    "failed records of a batch": lambda store, chunk: store.failed_records(chunk.batch_id),
}


def taken_in(store: SqlStore, files: int) -> int:
    """Take in the output of a chunk; returns what its database did for it."""
    chunk_id = ended_chunk(store, files)
    with work_of(store.engine) as counted:
        ingest(store, Output(files, FIRST_FILE), chunk_id)
    return counted[1]


def streamed(store: SqlStore, files: int, stream: str) -> int:
    """Read a stream over records of which every other failed; returns what its database did for it."""
    chunk_id = ended_chunk(store, files)
    outcomes = (Outcome.SUCCEEDED, Outcome.UNPARSABLE)
    store.save(hold_chunk(store, chunk_id), [judged(n, outcomes[n % 2]) for n in range(files)], NOW)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    with work_of(store.engine) as counted:
        found = sum(1 for _ in STREAMS[stream](store, chunk))
    assert found in {0, files // 2, files}
    return counted[1]


def test_taking_in_costs_a_record_the_same_however_many_there_are(kept_sqlite: Engine) -> None:
    few, many = (taken_in(emptied(kept_sqlite), files) for files in (FEW, MANY))
    assert many <= GROWTH * few


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_costs_a_record_the_same_however_many_there_are(kept_sqlite: Engine, stream: str) -> None:
    few, many = (streamed(emptied(kept_sqlite), files, stream) for files in (FEW, MANY))
    assert many <= GROWTH * few
