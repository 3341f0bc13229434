"""The roles of deploy/postgresql: each can do its work on a real PostgreSQL, and no more than that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from consumers.core.faults import Fault
from consumers.core.lifecycle import BatchState
from daemon.adapters.store import SqlStore, make_engine, migrate
from tests.contracts.planting import new_batch, prove
from tests.databases import Postgres
from tests.postgres_roles import roles, run
from tests.stages.simulation import Simulation


@dataclass(frozen=True)
class Logins:
    """The URLs of one database, for whoever deploys, works and looks."""

    deploy: str
    app: str
    look: str


@pytest.fixture(scope="module")
def logins(postgres: Postgres) -> Iterator[Logins]:
    """A migrated database with the roles of the script and a login for each."""
    with roles(postgres) as made:
        yield Logins(made.deploy, made.login("app", "consumer"), made.login("look", "reader"))


def with_engine(url: str, act: Callable[..., object]) -> None:
    engine = make_engine(url)
    try:
        act(engine)
    finally:
        engine.dispose()


def test_a_consumer_brings_a_batch_to_its_end(logins: Logins) -> None:
    engine = make_engine(logins.app)
    store = SqlStore(engine)
    prove(store)
    sim = Simulation(store, min_records=2)
    batch_id = sim.submit(sim.media(2))
    sim.finish_all()
    assert sim.batch(batch_id).state is BatchState.COMPLETED
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (id int)", "DROP TABLE batches", "ALTER TABLE audit DISABLE TRIGGER ALL"],
)
def test_a_consumer_changes_no_table(logins: Logins, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        run(logins.app, statement)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_a_consumer_does_not_change_the_audit(logins: Logins, statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        run(logins.app, statement)


def test_who_looks_reads_everything_and_writes_nothing(logins: Logins) -> None:
    engine = make_engine(logins.look)
    store = SqlStore(engine)
    batch = new_batch("looked at")
    assert store.batch(batch.batch_id) is None
    with pytest.raises(Fault, match="permission denied"):
        store.accept(batch)
    engine.dispose()


def test_migrating_again_needs_no_more_than_the_deploy_role(logins: Logins) -> None:
    with_engine(logins.deploy, migrate)
