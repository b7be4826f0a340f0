"""Claims of placement, and requests that belong to one; a request need not be made under a profile any more.

Revision: 0004, follows 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the table, and let requests refer to it."""
    _claims()
    # SQLite changes a table by writing it anew, and lets nobody drop one that rows of others refer to.
    with op.batch_alter_table("holders") as holders:
        holders.drop_constraint("fk_holders_request_id", type_="foreignkey")
    with op.batch_alter_table("accelerator_requests") as requests:
        requests.alter_column("profile_id", existing_type=sa.Integer(), nullable=True)
        requests.add_column(sa.Column("claim_id", sa.Integer(), nullable=True))
        requests.create_index("ix_accelerator_requests_claim_id", ["claim_id"])
        requests.create_foreign_key(
            "fk_accelerator_requests_claim_id", "placement_claims", ["claim_id"], ["id"], ondelete="SET NULL"
        )
    with op.batch_alter_table("holders") as holders:
        holders.create_foreign_key(
            "fk_holders_request_id", "accelerator_requests", ["request_id"], ["id"], ondelete="RESTRICT"
        )


def _claims() -> None:
    op.create_table(
        "placement_claims",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=True),
        sa.Column("consumer", sa.String(255), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("lease_seconds", sa.Integer(), nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_placement_claims"),
        sa.UniqueConstraint("uuid", name="uq_placement_claims_uuid"),
        sa.UniqueConstraint(
            "project_id", "idempotency_key", name="uq_placement_claims_project_id_idempotency_key"
        ),
        **MARIADB,
    )
    for columns in (["project_id", "id"], ["expires_at"]):
        op.create_index(f"ix_placement_claims_{'_'.join(columns)}", "placement_claims", columns)
