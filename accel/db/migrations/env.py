"""What alembic runs to reach the database: the connection that ``accel.db.migrate`` opened."""

from alembic import context

from accel.db.migrate import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by writing it anew
    transaction_per_migration=False,
)
context.run_migrations()
