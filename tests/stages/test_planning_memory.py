"""Planning takes no more memory for many files than for as many as it looks at together."""

from pathlib import Path

import pytest

from tests.bench import child
from tests.bench.table import Scale
from tests.databases import make_sqlite_store

WINDOW, MANY = 8_000, 16_000
MOST_MB = 2.0
"""Less than a quarter of a kilobyte for each file more; from run to run it differs by half a megabyte."""


def start(folder: Path, source: str, files: int) -> child.Join:
    """Plan so many files in a process and a database of their own."""
    place = folder / str(files)
    place.mkdir()
    make_sqlite_store(place).engine.dispose()
    url = f"sqlite:///{place / 'novabatch.db'}"
    return child.start(Scale.SHORT, "tests.bench.planning:plan_files", url=url, count=files, source=source)


@pytest.mark.parametrize("source", ["list", pytest.param("prefix", marks=pytest.mark.endurance)])
def test_memory_does_not_grow_with_the_files_behind_the_window(tmp_path: Path, source: str) -> None:
    running = [start(tmp_path, source, files) for files in (WINDOW, MANY)]
    few, many = (join() for join in running)
    assert many.value > few.value > 50
    assert many.rss_mb - few.rss_mb <= MOST_MB
