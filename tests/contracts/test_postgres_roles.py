"""The roles of deploy/postgresql: each can do its work on a real PostgreSQL, and no more than that.

An administrator who is no superuser makes them, as the master user of RDS would.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url

from consumers.core.faults import Fault
from consumers.core.lifecycle import BatchState
from daemon.adapters.store import SqlStore, make_engine, migrate
from tests.contracts.planting import new_batch, prove
from tests.databases import Postgres, give_up
from tests.postgres_roles import SCRIPT, Roles, administered, migrated, psql, roles, run, same_login
from tests.stages.simulation import Simulation

WHO_MAY_WHAT = """
    SELECT rolname || rolcanlogin || rolsuper || rolcreaterole FROM pg_roles WHERE rolname LIKE '%{0}'
    UNION ALL SELECT roleid::regrole || ' ' || member::regrole || ' ' || admin_option FROM pg_auth_members
        WHERE roleid::regrole::text LIKE '%{0}'
    UNION ALL SELECT defaclrole::regrole || defaclobjtype::text || defaclacl::text FROM pg_default_acl
    UNION ALL SELECT nspname || nspacl::text FROM pg_namespace WHERE nspname = 'public'
    ORDER BY 1
"""


class Logins(Roles):
    """A migrated database with a login for who works and for who looks."""

    app = look = ""


@pytest.fixture(scope="module")
def logins(postgres: Postgres) -> Iterator[Logins]:
    """A migrated database with the roles of the script and a login for each."""
    with roles(postgres) as made:
        both = Logins(**vars(made))
        both.app, both.look = made.login("app", "consumer"), made.login("look", "reader")
        yield both


def with_engine(url: str, act: Callable[..., object]) -> None:
    engine = make_engine(url)
    try:
        act(engine)
    finally:
        engine.dispose()


def told(url: str, question: str) -> list[str]:
    """Return the first column of what a database answers."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        return [row[0] for row in connection.execute(question.encode())]


def test_the_administrator_of_these_tests_is_no_superuser(logins: Logins) -> None:
    assert told(logins.admin, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user") == ["false"]


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


def test_the_script_run_again_changes_nothing(logins: Logins) -> None:
    question = WHO_MAY_WHAT.format(logins.mark)
    before = told(logins.admin, question)
    run(logins.admin, logins.script())
    assert len(before) > 8
    assert told(logins.admin, question) == before


def test_the_script_serves_a_second_database_of_the_same_server(logins: Logins) -> None:
    with logins.database() as second:
        run(second, logins.script())
        migrated(same_login(logins.deploy, second))
        app, look = (same_login(each, second) for each in (logins.app, logins.look))
        run(app, "DELETE FROM findings")
        assert told(look, "SELECT count(*)::text FROM batches") == ["0"]
        with pytest.raises(InsufficientPrivilege):
            run(app, "CREATE TABLE mine (id int)")
        with pytest.raises(InsufficientPrivilege):
            run(look, "DELETE FROM findings")


def client() -> Path:
    """Return psql, or skip."""
    found = psql()
    if found is None:
        give_up("no psql")
        raise AssertionError
    return found


def surroundings(url: str) -> dict[str, str]:
    """Return the variables by which psql finds a database."""
    place = make_url(url)
    found = {"HOST": place.host, "PORT": place.port, "USER": place.username, "DATABASE": place.database}
    named = {f"PG{name}": str(value) for name, value in found.items()}
    return {**os.environ, **named, "PGPASSWORD": str(place.password or "")}


def test_the_script_stops_where_the_schema_is_anothers_leaves_nothing_and_runs_once_it_is_ours(
    postgres: Postgres, tmp_path: Path
) -> None:
    """As on PostgreSQL 14, where a new database's schema ``public`` is the superuser's and everybody's."""
    script = tmp_path / "roles.sql"
    with administered(postgres) as made, made.database() as admin:
        script.write_text(made.script())
        superuser = same_login(postgres.url, admin)
        run(superuser, "ALTER SCHEMA public OWNER TO CURRENT_USER; GRANT ALL ON SCHEMA public TO PUBLIC")
        command = [str(client()), "--no-psqlrc", "--file", str(script)]
        done = subprocess.run(
            command, env=surroundings(admin), capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 3
        hint = re.search(r"ALTER SCHEMA public OWNER TO \w+;", done.stderr)
        assert hint, done.stderr
        assert told(admin, f"SELECT rolname FROM pg_roles WHERE rolname ~ '^novabatch.*{made.mark}'") == []
        run(superuser, hint.group())
        subprocess.run(command, env=surroundings(admin), capture_output=True, check=True, timeout=30)


def test_the_commands_of_the_page_lead_to_a_database_that_consumers_work_in(
    postgres: Postgres, tmp_path: Path
) -> None:
    page = (SCRIPT.parent / "README.md").read_text()
    (commands,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    _, _, commands = commands.partition("\n")  # where the server is, said otherwise here
    place = tmp_path / "deploy/postgresql"
    place.mkdir(parents=True)
    with administered(postgres) as made, made.database(f"test_{made.mark}") as admin:
        (place / "roles.sql").write_text(made.script())
        commands = re.sub(r"(DATABASE |--dbname |HOST/)novabatch\b", rf"\g<1>test_{made.mark}", commands)
        programs = f"{client().parent}{os.pathsep}{Path(sys.executable).parent}"
        done = subprocess.run(
            ["bash", "-euc", made.renamed(commands)],
            env={
                **surroundings(admin),
                "PGSSLMODE": "prefer",
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        _, app, look = re.findall(r"^NOVABATCH_DATABASE_URL=(\S+)$", done.stdout, re.MULTILINE)
        port = make_url(postgres.url).port
        app, look = (
            make_url(url).set(port=port).render_as_string(hide_password=False) for url in (app, look)
        )
        run(app, "DELETE FROM findings")
        assert told(look, "SELECT count(*)::text FROM batches") == ["0"]
        with pytest.raises(InsufficientPrivilege):
            run(look, "DELETE FROM findings")
