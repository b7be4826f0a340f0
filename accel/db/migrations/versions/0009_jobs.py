"""What is done to devices on their nodes.

Revision: 0009, follows 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("driver", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(255), nullable=False),
        sa.Column("device_uuid", sa.String(36), nullable=False),
        sa.Column("deployable", sa.String(255), nullable=True),
        sa.Column("deployable_uuid", sa.String(36), nullable=True),
        sa.Column("handle", sa.JSON(), nullable=True),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("image", sa.JSON(), nullable=True),
        sa.Column("time_limit_seconds", sa.Double(), nullable=False),
        sa.Column("deadline_at", MOMENT, nullable=False),
        sa.Column("project_id", sa.String(255), nullable=True),
        sa.Column("request_uuid", sa.String(36), nullable=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("fraction", sa.Double(), nullable=True),
        sa.Column("error_code", sa.String(64), nullable=False),
        sa.Column("error_text", sa.Text(), nullable=False),
        sa.Column("is_state_unknown", sa.Boolean(), nullable=False),
        sa.Column("is_cancel_wanted", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.String(255), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("uuid", name="uq_jobs_uuid"),
        **MARIADB,
    )
    for columns in (
        ["state", "lease_until"],
        ["node"],
        ["device_uuid"],
        ["project_id"],
        ["request_uuid"],
        ["key"],
        ["created_at"],
    ):
        op.create_index(f"ix_jobs_{'_'.join(columns)}", "jobs", columns)
