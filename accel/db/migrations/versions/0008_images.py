"""Images, their bytes, whom they are shared with, and the keys that sign them.

Revision: 0008, follows 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
BYTES = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create the tables."""
    _keys()
    _contents()
    _images()
    _lists()


def _keys() -> None:
    op.create_table(
        "image_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_keys"),
        sa.UniqueConstraint("uuid", name="uq_image_keys_uuid"),
        sa.UniqueConstraint("project_id", "name", name="uq_image_keys_project_id_name"),
        sa.UniqueConstraint("project_id", "public_key", name="uq_image_keys_project_id_public_key"),
        **MARIADB,
    )


def _contents() -> None:
    op.create_table(
        "image_contents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_contents"),
        sa.UniqueConstraint("digest", name="uq_image_contents_digest"),
        **MARIADB,
    )
    op.create_index("ix_image_contents_created_at", "image_contents", ["created_at"])
    op.create_table(
        "image_chunks",
        sa.Column("content_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("content_id", "number", name="pk_image_chunks"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["image_contents.id"], name="fk_image_chunks_content_id", ondelete="CASCADE"
        ),
        **MARIADB,
    )


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=True),
        sa.Column("vendor", sa.String(255), nullable=False),
        sa.Column("platform", sa.String(255), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("content_id", sa.Integer(), nullable=True),
        sa.Column("signature", sa.String(128), nullable=True),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        sa.UniqueConstraint("uuid", name="uq_images_uuid"),
        sa.UniqueConstraint("project_id", "name", "version", name="uq_images_project_id_name_version"),
        sa.ForeignKeyConstraint(
            ["content_id"], ["image_contents.id"], name="fk_images_content_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["image_keys.id"], name="fk_images_key_id", ondelete="RESTRICT"),
        **MARIADB,
    )
    for columns in (["digest"], ["content_id"], ["key_id"], ["state", "lease_until"]):
        op.create_index(f"ix_images_{'_'.join(columns)}", "images", columns)


def _lists() -> None:
    op.create_table(
        "image_ids",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("of", sa.String(16), nullable=False),
        sa.Column("value", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_ids"),
        sa.UniqueConstraint("image_id", "of", "value", name="uq_image_ids_image_id_of_value"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_ids_image_id", ondelete="CASCADE"),
        **MARIADB,
    )
    op.create_index("ix_image_ids_value_of", "image_ids", ["value", "of"])
    op.create_table(
        "image_projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_projects"),
        sa.UniqueConstraint("image_id", "project_id", name="uq_image_projects_image_id_project_id"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_projects_image_id", ondelete="CASCADE"),
        **MARIADB,
    )
    op.create_index("ix_image_projects_project_id", "image_projects", ["project_id"])
