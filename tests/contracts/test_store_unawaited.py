"""Statements that nobody waits for one by one: what is wrong with them is told in the end, and undone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DataError

from consumers.core.faults import PassingFault
from daemon.adapters.store import SqlStore, make_engine
from daemon.adapters.store.database import unawaited
from daemon.adapters.tables import batches
from tests.contracts.planting import new_batch, plant
from tests.databases import Postgres, checked_out


def reason(store: SqlStore) -> str:
    batch = store.batch(new_batch().batch_id)
    assert batch is not None
    return batch.reason


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[SqlStore]:
    """A store on a server: SQLite waits for each statement."""
    with postgres.database() as url:
        store = SqlStore(make_engine(url))
        plant(store)
        yield store
        assert checked_out(store.engine) == 0
        store.engine.dispose()


def test_what_is_sent_stands_with_the_transaction(store: SqlStore) -> None:
    plant(store)
    with store.database.write() as connection, unawaited(connection):
        for words in ("one", "two"):
            connection.execute(update(batches).values(reason=words))
    assert reason(store) == "two"


def test_a_statement_that_fails_undoes_the_transaction(on_postgres: SqlStore) -> None:
    with pytest.raises(DataError), on_postgres.database.write() as connection, unawaited(connection):
        connection.execute(update(batches).values(reason="one"))
        connection.execute(text("UPDATE batches SET revision = 1 / 0"))
    assert reason(on_postgres) == ""


def test_a_server_that_goes_away_is_a_passing_fault(on_postgres: SqlStore) -> None:
    with pytest.raises(PassingFault), on_postgres.database.write() as connection, unawaited(connection):
        connection.execute(update(batches).values(reason="one"))
        connection.execute(text("UPDATE batches SET reason = pg_terminate_backend(pg_backend_pid())::text"))
    assert reason(on_postgres) == ""
