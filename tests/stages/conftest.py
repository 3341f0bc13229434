"""Simulations, one after another over the same SQLite file, emptied for each."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from daemon.adapters.store import SqlStore
from tests.contracts.planting import prove
from tests.databases import without_rows
from tests.stages.simulation import Simulation

NewSimulation = Callable[..., Simulation]


@pytest.fixture
def simulate(kept_sqlite: Engine) -> NewSimulation:
    """Make simulations; each begins with an empty store and ends the one before.

    Its model has been seen past validation, unless it is not ``proven``.
    """

    def make(*, proven: bool = True, **settings: Any) -> Simulation:
        store = emptied(kept_sqlite)
        if proven:
            prove(store)
        return Simulation(store, **{"min_records": 2, **settings})

    return make


def emptied(engine: Engine) -> SqlStore:
    """Return a store without a row."""
    return SqlStore(without_rows(engine))


@pytest.fixture
def sim(simulate: NewSimulation) -> Simulation:
    """One simulation with a minimum of two records a job."""
    return simulate()
