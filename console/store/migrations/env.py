"""Runs the migrations on the connection that `console.store.migrate` holds, inside its transaction."""

from alembic import context

from console.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
