"""Alembic's environment: it works on the connection that ``schema.migrate`` hands over."""

from alembic import context

from daemon.adapters.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
