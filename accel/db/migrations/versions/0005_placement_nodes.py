"""Which nodes OpenStack Placement is still to be told of, and what it was told last.

Revision: 0005, follows 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table. The nodes that there are get their rows from the first conductor that has a Placement."""
    op.create_table(
        "placement_nodes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_placement_nodes"),
        sa.UniqueConstraint("node", name="uq_placement_nodes_node"),
        **MARIADB,
    )
    op.create_index("ix_placement_nodes_due_at", "placement_nodes", ["due_at"])
