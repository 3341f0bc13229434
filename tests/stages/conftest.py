"""Simulations, one after another over the same SQLite file, emptied for each."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from daemon.adapters.store import SqlStore, make_engine
from tests.contracts.planting import prove
from tests.databases import delete_rows
from tests.stages.simulation import Simulation

NewSimulation = Callable[..., Simulation]


@pytest.fixture(scope="session")
def stage_engine(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all simulations of a process: its compiled statements are worth keeping."""
    path = tmp_path_factory.mktemp("stages") / "novabatch.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def simulate(stage_engine: Engine) -> NewSimulation:
    """Make simulations; each begins with an empty store and ends the one before.

    Its model has been seen past validation, unless it is not ``proven``.
    """

    def make(*, proven: bool = True, **settings: Any) -> Simulation:
        store = emptied(stage_engine)
        if proven:
            prove(store)
        return Simulation(store, **{"min_records": 2, **settings})

    return make


def emptied(engine: Engine) -> SqlStore:
    """Return a store without a row."""
    with engine.begin() as connection:
        delete_rows(connection)
    return SqlStore(engine)


@pytest.fixture
def sim(simulate: NewSimulation) -> Simulation:
    """One simulation with a minimum of two records a job."""
    return simulate()
