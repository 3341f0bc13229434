"""Simulations, each over a fresh SQLite store."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from daemon.adapters.store import SqlStore, make_engine
from tests.stages.simulation import Simulation

NewSimulation = Callable[..., Simulation]


@pytest.fixture
def simulate(sqlite_template: Path, tmp_path: Path) -> Iterator[NewSimulation]:
    """Make simulations with a store of their own each."""
    with ExitStack() as stack:
        numbers = count()

        def make(**settings: Any) -> Simulation:
            path = tmp_path / f"store-{next(numbers)}.db"
            shutil.copy(sqlite_template, path)
            engine = make_engine(f"sqlite:///{path}")
            stack.callback(engine.dispose)
            return Simulation(SqlStore(engine), **{"min_records": 2, **settings})

        yield make


@pytest.fixture
def sim(simulate: NewSimulation) -> Simulation:
    """One simulation with a minimum of two records a job."""
    return simulate()
