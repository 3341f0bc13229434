"""The roles of deploy/postgresql in a database of their own, and logins that are in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from daemon.adapters.store import make_engine, migrate
from tests.databases import Postgres

SCRIPT = Path(__file__).resolve().parents[1] / "deploy/postgresql/roles.sql"
ROLES = ("owner", "consumer", "reader")


@dataclass
class Roles:
    """A migrated database with the script's roles, under names of their own: roles are the whole server's."""

    url: str
    mark: str
    deploy: str = ""
    logins: list[str] = field(default_factory=list)

    def login(self, name: str, role: str) -> str:
        """Make a login in one of the roles; returns the URL by which it comes."""
        user = f"{name}_{self.mark}"
        run(self.url, f"CREATE ROLE {user} LOGIN IN ROLE {self.name(role)}")
        self.logins.append(user)
        return make_url(self.url).set(username=user).render_as_string(hide_password=False)

    def name(self, role: str) -> str:
        """Return what a role is called here."""
        return f"novabatch_{role}_{self.mark}"


@contextmanager
def roles(postgres: Postgres) -> Iterator[Roles]:
    """Give a database with roles; database, logins and roles go at the end."""
    made = Roles("", uuid4().hex[:8])
    with Postgres(postgres.url, "template0").database() as url:
        made.url = url
        script = SCRIPT.read_text()
        for role in ROLES:
            script = script.replace(f"novabatch_{role}", made.name(role))
        run(url, script)
        made.deploy = made.login("deploy", "owner")
        run(url, f"ALTER ROLE {made.logins[0]} SET ROLE {made.name('owner')}")
        engine = make_engine(made.deploy)
        migrate(engine)
        engine.dispose()
        yield made
    for name in (*made.logins, *map(made.name, ROLES)):
        run(postgres.url, f"DROP ROLE IF EXISTS {name}")


def run(url: str, statements: str) -> None:
    """Run statements, each by itself."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statements.encode())
