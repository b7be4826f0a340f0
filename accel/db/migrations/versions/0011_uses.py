"""What containers of pods use, and which nodes have a kubelet that tells.

Revision: 0011, follows 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Add the table and the column. Agents of the release before say nothing of pods."""
    op.create_table(
        "uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attach_handle_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["attach_handle_id"], ["attach_handles.id"], name="fk_uses_attach_handle_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_uses"),
        sa.UniqueConstraint("attach_handle_id", "name", name="uq_uses_attach_handle_id_name"),
        **MARIADB,
    )
    op.add_column("nodes", sa.Column("has_kubelet", sa.Boolean(), nullable=False, server_default=sa.false()))
