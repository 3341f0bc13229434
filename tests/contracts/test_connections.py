"""Connections to PostgreSQL: what they ask of whoever stands between, and the limits that hold on each."""

import re
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, text

from consumers.core.faults import PassingFault
from daemon.adapters.store import make_engine
from daemon.adapters.store.database import Database
from deploy.local.processes import ROOT
from tests.databases import Postgres

TAKEN_BY_POOLERS = {"user", "database", "client_encoding", "application_name"}
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@pytest.fixture(scope="module")
def engine(postgres: Postgres) -> Iterator[Engine]:
    """An engine on a server."""
    made = make_engine(postgres.url)
    yield made
    made.dispose()


def first_packet(listener: socket.socket) -> list[str]:
    """Take one connection; returns the names in its startup packet, and hangs up."""
    with listener.accept()[0] as client, client.makefile("rb") as stream:
        length, version = struct.unpack("!ii", stream.read(8))
        assert version == 3 << 16
        return stream.read(length - 8).decode().split("\0")[:-2:2]


def test_a_connection_begins_with_nothing_that_a_proxy_or_a_pooler_refuses() -> None:
    """RDS Proxy refuses ``options``; PgBouncer all names but these and a few of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as reader:
        names = reader.submit(first_packet, listener)
        port = listener.getsockname()[1]
        url = f"postgresql://me@127.0.0.1:{port}/novabatch?sslmode=disable&gssencmode=disable"
        with pytest.raises(PassingFault), Database(make_engine(url)).read():
            pass
        found = set(names.result(10))
    assert {"user", "database"} <= found <= TAKEN_BY_POOLERS


def limits(connection: Connection) -> tuple[int, ...]:
    """Return what holds on a connection, in seconds."""
    asked = text("SELECT extract(epoch FROM cast(current_setting(:name) AS interval))")
    return tuple(int(connection.execute(asked, {"name": name}).scalar_one()) for name in LIMITS)


def test_the_limits_on_waiting_that_the_page_tells_hold_on_every_connection_whatever_was_undone(
    engine: Engine,
) -> None:
    page = (ROOT / "docs/scaling.md").read_text()
    said = re.search(r"a statement (\d+) s, a lock (\d+) s, an idle transaction (\d+) s", page)
    assert said
    told = tuple(map(int, said.groups()))
    database = Database(engine)
    with database.read() as one, database.once() as another:
        assert limits(one) == limits(another) == told
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        raise ZeroDivisionError(limits(connection))
    with database.write() as first, database.write() as second:
        assert limits(first) == limits(second) == told


def test_a_time_is_told_in_utc_wherever_the_server_stands(engine: Engine) -> None:
    with Database(engine).read() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"


def test_a_statement_that_takes_longer_than_its_limit_is_cancelled_as_a_passing_fault(engine: Engine) -> None:
    with pytest.raises(PassingFault, match="statement timeout"), Database(engine).write() as connection:
        connection.execute(text("SET LOCAL statement_timeout = '10ms'"))
        connection.execute(text("SELECT pg_sleep(30)"))
