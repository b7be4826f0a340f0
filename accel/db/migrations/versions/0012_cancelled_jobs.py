"""Who wants jobs cancelled, and why some cannot be.

Revision: 0012, follows 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. What agents of the release before are at can be called off, and goes on."""
    op.add_column("jobs", sa.Column("cancelled_by", sa.String(length=255), nullable=True))
    op.add_column("jobs", sa.Column("must_go_on", sa.String(length=255), nullable=False, server_default=""))
