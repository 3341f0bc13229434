"""The migrations lead to the tables, once, however many processes apply them."""

import re
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Select, inspect, text

from consumers.core.faults import Rejected
from daemon.adapters.store import SqlStore, make_engine, migrate, schema_serves
from daemon.adapters.store.forgetting import known_as, objects_in
from daemon.adapters.store.schema import MIGRATIONS, newest_revision
from daemon.adapters.tables import files, metadata
from daemon.adapters.views.files import files_that
from daemon.wiring import prepare_database


def test_the_migrations_make_the_tables_as_declared(store: SqlStore) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_make_the_indexes_with_their_conditions(store: SqlStore) -> None:
    declared = {index.name for table in metadata.tables.values() for index in table.indexes}
    found = inspect(store.engine)
    made = {index["name"]: index for table in metadata.tables for index in found.get_indexes(table)}
    assert declared <= made.keys()
    partial = {
        name for name, index in made.items() if any("where" in key for key in index["dialect_options"])
    }
    wanted = {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert partial == wanted


@pytest.mark.parametrize(
    ("asked", "column"),
    [
        (files_that(files.c.s3_key == "proxy/0.mov"), "s3_key"),
        (known_as("", "media", "proxy/0.mov"), "s3_key"),
        (objects_in(files, ["b1", "b2"], "1000"), "file_id"),
    ],
    ids=["show a key", "forget a key", "forget a file id"],
)
def test_one_file_among_millions_is_looked_up_by_an_index(
    new_store: SqlStore, asked: Select[Any], column: str
) -> None:
    statement = asked.compile(new_store.engine, compile_kwargs={"literal_binds": True})
    with new_store.engine.connect() as connection:
        if new_store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # few rows are read all, else
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}")
        else:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
        plan = "\n".join(str(row[-1]) for row in rows)
    assert re.search(rf"(SEARCH files .*|Index Cond: .*){column} ?=", plan), plan
    assert not re.search(r"SCAN files|Seq Scan on files", plan), plan


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    engine = make_engine(empty_url)
    assert not schema_serves(engine)
    migrate(engine)
    assert schema_serves(engine)
    migrate(engine)
    assert schema_serves(engine)
    engine.dispose()


@pytest.mark.parametrize("version", ["0008", "other"])
def test_an_earlier_schema_or_somebody_elses_does_not_serve(new_store: SqlStore, version: str) -> None:
    assert schema_serves(new_store.engine)
    _call_it(new_store, version)
    assert not schema_serves(new_store.engine)


def test_a_program_of_the_version_before_works_on_a_later_schema_and_leaves_it_alone(
    new_store: SqlStore,
) -> None:
    _call_it(new_store, "9999")
    migrate(new_store.engine)
    assert schema_serves(new_store.engine)
    prepare_database(new_store.engine)


def _call_it(store: SqlStore, version: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_sqlite_needs_a_file() -> None:
    with pytest.raises(Rejected, match="SQLite needs a file"):
        make_engine("sqlite://")


def test_sqlite_waits_for_others_and_keeps_a_write_ahead_log(sqlite_store: SqlStore) -> None:
    with sqlite_store.database.read() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
    assert settings == {"journal_mode": "wal", "busy_timeout": 20_000, "foreign_keys": 1, "synchronous": 1}


def test_the_newest_migration_by_name_is_alembics_only_head() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]


def test_a_row_that_breaks_a_rule_is_refused_without_repeating_what_it_holds(store: SqlStore) -> None:
    """PostgreSQL's own words go on with the whole row."""
    with pytest.raises(Rejected) as refused, store.database.write() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE answers (id INTEGER NOT NULL, answer TEXT)"))
        connection.execute(text("INSERT INTO answers VALUES (NULL, :answer)"), {"answer": "S3cr"})
    assert "id" in refused.value.message
    assert "S3cr" not in refused.value.message
