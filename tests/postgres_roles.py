"""The roles of deploy/postgresql, made by somebody who is no superuser, and logins that are in them."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from daemon.adapters.store import make_engine, migrate
from tests.databases import Postgres, bundled

SCRIPT = Path(__file__).resolve().parents[1] / "deploy/postgresql/roles.sql"
ROLES = ("owner", "consumer", "reader")


@dataclass
class Roles:
    """A server with an administrator like RDS's master user, and the script's roles under their own names.

    ``url`` and ``admin`` lead to a database that is migrated: as a superuser, and as the administrator who
    owns it and may make roles and databases. ``deploy`` is the login that migrated it.
    """

    server: Postgres
    mark: str
    url: str = ""
    admin: str = ""
    deploy: str = ""
    logins: list[str] = field(default_factory=list)

    def login(self, name: str, role: str) -> str:
        """Make a login in one of the roles; returns the URL by which it comes."""
        user = f"{name}_{self.mark}"
        run(self.admin, f"CREATE ROLE {user} LOGIN IN ROLE {self.name(role)}")
        self.logins.append(user)
        return as_user(self.url, user)

    def name(self, role: str) -> str:
        """Return what a role, or a login of the documents, is called here."""
        return f"novabatch_{role}_{self.mark}"

    def renamed(self, text: str) -> str:
        """Return a text of the documents with the names of roles and logins that they have here."""
        return re.sub(r"novabatch_(owner|consumer|reader|deploy|app|look)\b", rf"\g<0>_{self.mark}", text)

    def script(self) -> str:
        """Return the script for these roles."""
        return self.renamed(SCRIPT.read_text())

    @contextmanager
    def database(self, name: str = "") -> Iterator[str]:
        """Give the administrator's URL of a new database of theirs; it goes at the end.

        One that is named they will make themselves.
        """
        place = name or f"test_{uuid4().hex[:12]}"
        admin = as_user(self.server.url, f"admin_{self.mark}")
        try:
            if not name:
                run(admin, f"CREATE DATABASE {place} TEMPLATE template0")
            yield make_url(admin).set(database=place).render_as_string(hide_password=False)
        finally:
            self.server.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(place)))


@contextmanager
def administered(postgres: Postgres) -> Iterator[Roles]:
    """Give a server with an administrator and no roles yet; whoever was made goes at the end."""
    made = Roles(postgres, uuid4().hex[:8])
    run(postgres.url, f"CREATE ROLE admin_{made.mark} LOGIN CREATEROLE CREATEDB")
    try:
        yield made
    finally:
        documented = [made.name(login) for login in ("deploy", "app", "look")]
        for name in (*made.logins, *documented, *map(made.name, ROLES), f"admin_{made.mark}"):
            run(postgres.url, f"DROP ROLE IF EXISTS {name}")


@contextmanager
def roles(postgres: Postgres) -> Iterator[Roles]:
    """Give a migrated database with roles; database, logins and roles go at the end."""
    with administered(postgres) as made, made.database() as admin:
        made.admin = admin
        made.url = as_user(admin, str(make_url(postgres.url).username))
        run(admin, made.script())
        made.deploy = made.login("deploy", "owner")
        run(admin, f"ALTER ROLE {made.logins[0]} SET ROLE {made.name('owner')}")
        migrated(made.deploy)
        yield made


def migrated(url: str) -> None:
    """Migrate a database as the login of its URL."""
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()


def as_user(url: str, user: str) -> str:
    """Return the URL of the same database for another login."""
    return make_url(url).set(username=user).render_as_string(hide_password=False)


def same_login(url: str, database_url: str) -> str:
    """Return the URL by which a login comes to another database."""
    return make_url(url).set(database=make_url(database_url).database).render_as_string(hide_password=False)


def run(url: str, statements: str) -> None:
    """Run statements, each by itself; lines that speak to psql are left out."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(re.sub(r"(?m)^\\.*$", "", statements).encode())


def psql() -> Path | None:
    """Return PostgreSQL's own client, if there is one."""
    beside, on_path = bundled(), shutil.which("psql")
    return beside / "psql" if beside else Path(on_path) if on_path else None
