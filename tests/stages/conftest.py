"""A simulation over a fresh SQLite store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import make_sqlite_store
from tests.stages.simulation import Simulation


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Simulation]:
    store = make_sqlite_store(tmp_path)
    yield Simulation(store, min_records=2)
    store.close()
