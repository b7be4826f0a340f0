"""Agents that listen by another name than their node's.

Revision: 0013, follows 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Agents of the release before listen by the names of their nodes."""
    op.add_column("nodes", sa.Column("agent", sa.String(length=255), nullable=False, server_default=""))
