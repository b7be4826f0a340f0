"""What alembic runs to reach the database: the connection that ``accel.db.migrate`` opened."""

from alembic import context

from accel.db import image_tables  # noqa: F401 - its tables belong to the metadata
from accel.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by writing it anew
    transaction_per_migration=False,
)
context.run_migrations()
