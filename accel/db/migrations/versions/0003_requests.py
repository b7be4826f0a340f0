"""Accelerator requests, what they hold, what Nova is to be told of them, quotas; whose affair an event is.

Revision: 0003, follows 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the tables, and the columns of older ones that refer to them."""
    _requests()
    _quotas()
    _notifications()
    with op.batch_alter_table("holders") as holders:
        holders.add_column(sa.Column("request_id", sa.Integer(), nullable=True))
        holders.create_unique_constraint("uq_holders_request_id", ["request_id"])
        holders.create_foreign_key(
            "fk_holders_request_id", "accelerator_requests", ["request_id"], ["id"], ondelete="RESTRICT"
        )
    op.add_column("events", sa.Column("project_id", sa.String(255), nullable=True))
    op.create_index("ix_events_project_id", "events", ["project_id"])


def _requests() -> None:
    op.create_table(
        "accelerator_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("profile_name", sa.String(255), nullable=False),
        sa.Column("group_index", sa.Integer(), nullable=False),
        sa.Column("group", sa.JSON(), nullable=False),
        sa.Column("resource_class", sa.String(255), nullable=False),
        sa.Column("hostname", sa.String(255), nullable=True),
        sa.Column("device_rp_uuid", sa.String(36), nullable=True),
        sa.Column("instance_uuid", sa.String(255), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("worker", sa.String(255), nullable=True),
        sa.Column("deadline_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["device_profiles.id"], name="fk_accelerator_requests_profile_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_accelerator_requests"),
        sa.UniqueConstraint("uuid", name="uq_accelerator_requests_uuid"),
        **MARIADB,
    )
    for columns in (["project_id", "id"], ["profile_id"], ["instance_uuid"], ["deadline_at"]):
        op.create_index(f"ix_accelerator_requests_{'_'.join(columns)}", "accelerator_requests", columns)


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("resource_class", sa.String(255), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_quotas"),
        sa.UniqueConstraint("project_id", "resource_class", name="uq_quotas_project_id_resource_class"),
        **MARIADB,
    )


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request_uuid", sa.String(36), nullable=False),
        sa.Column("instance_uuid", sa.String(255), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", MOMENT, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        **MARIADB,
    )
    op.create_index("ix_notifications_next_attempt_at", "notifications", ["next_attempt_at"])
