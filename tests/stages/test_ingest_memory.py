"""Reading output takes the same memory, however many records a job has."""

from pathlib import Path

import pytest

from tests.bench import child
from tests.bench.table import Scale
from tests.contracts.ingesting import ended_chunk
from tests.databases import make_sqlite_store


def peak_mb(folder: Path, records: int) -> float:
    """Return the memory at its peak of a process that reads the output of so many records."""
    place = folder / str(records)
    place.mkdir()
    store = make_sqlite_store(place)
    chunk_id = ended_chunk(store, records)
    store.engine.dispose()
    url = f"sqlite:///{place / 'novabatch.db'}"
    ran = child.run(Scale.SHORT, "tests.bench.ingest_work:ours", url=url, chunk_id=chunk_id, count=records)
    assert ran.value == records
    return ran.rss_mb


def test_memory_hardly_grows_with_the_records(tmp_path: Path) -> None:
    few, many = peak_mb(tmp_path, 1000), peak_mb(tmp_path, 6000)
    assert many - few <= 4, (few, many)


@pytest.mark.endurance
@pytest.mark.timeout(3600)
def test_a_million_records_fit_into_the_memory_of_a_thousand(tmp_path: Path) -> None:
    few, usual, most = (peak_mb(tmp_path, records) for records in (1000, 50_000, 1_000_000))
    print(f"MB: {few:.0f} for 1,000 records, {usual:.0f} for 50,000, {most:.0f} for 1,000,000")
    assert usual - few <= 15
    assert most <= 200
