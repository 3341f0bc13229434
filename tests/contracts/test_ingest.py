"""Output of several pages, cut short anywhere or read by two at once, ends in the same rows, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from consumers.core.faults import LeaseLost
from consumers.core.lifecycle import ChunkState
from consumers.core.world import Done
from consumers.job_state.intake import LINES_AT_ONCE
from daemon.adapters.store import SqlStore, make_engine
from tests.bench.output import Output
from tests.contracts.ingesting import FIRST_FILE, ended_chunk, ingest, rows
from tests.contracts.test_store_processes import Run, Work, processes

__all__ = ["processes"]

MANY = 2 * LINES_AT_ONCE + 20
AT_ONCE = -1.0


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at_commit(store: SqlStore, nth: int) -> Iterator[None]:
    """Let the n-th commit be the last of this process; more than there are let it live."""
    numbers = count()

    def strike(_: Any) -> None:
        if next(numbers) == nth:
            raise Killed

    event.listen(store.engine, "commit", strike)
    try:
        yield
    except Killed:
        pass
    finally:
        event.remove(store.engine, "commit", strike)


def test_output_cut_short_at_any_commit_is_read_again_to_the_same_rows(store: SqlStore) -> None:
    chunk_id = ended_chunk(store, MANY)
    objects = Output(MANY, first=FIRST_FILE)
    for nth in range(6):
        with killed_at_commit(store, nth):
            ingest(store, objects, chunk_id, seconds=AT_ONCE)
    ingest(store, objects, chunk_id)
    found = rows(store)
    chunk = store.chunk(chunk_id)
    assert chunk is not None
    assert chunk.state is ChunkState.COMPLETED
    assert store.outcomes(chunk_id) == {("combined", "SUCCEEDED"): MANY}
    assert ingest(store, objects, chunk_id) != Done()
    assert rows(store) == found
    assert store.spent(chunk_id).input_tokens == MANY * 20_480


@pytest.mark.parametrize("page", [1, 2, 3])
def test_who_lost_the_chunk_to_another_writes_nothing_more(store: SqlStore, page: int) -> None:
    chunk_id = ended_chunk(store, MANY)
    pages = count(1)

    def overtaken() -> None:
        if next(pages) == page:
            ingest(store, Output(MANY, first=FIRST_FILE), chunk_id)

    with pytest.raises(LeaseLost):
        ingest(store, Output(MANY, first=FIRST_FILE), chunk_id, overtaken, seconds=AT_ONCE)
    assert store.outcomes(chunk_id) == {("combined", "SUCCEEDED"): MANY}
    assert store.spent(chunk_id).input_tokens == MANY * 20_480


def ingest_one(work: Work) -> int:
    """Ingest a chunk; returns whether this process did it."""
    store = SqlStore(make_engine(work[0]))
    outcome = ingest(store, Output(MANY, first=FIRST_FILE), work[1][0])
    store.engine.dispose()
    return int(isinstance(outcome, Done) and bool(outcome.facts))


def test_of_several_processes_one_reads_a_chunk(store: SqlStore, database_url: str, processes: Run) -> None:
    chunk_id = ended_chunk(store, MANY)
    assert sum(processes(ingest_one, [(database_url, [chunk_id])] * 4)) == 1
    assert store.outcomes(chunk_id) == {("combined", "SUCCEEDED"): MANY}
    assert store.spent(chunk_id).input_tokens == MANY * 20_480
