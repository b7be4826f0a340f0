"""Nodes, their devices, what can be scheduled of them, who holds it, and what happened.

Revision: 0001, follows nothing
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
MARIADB: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    """Create all tables."""
    _nodes()
    _node_drivers()
    _devices()
    _deployables()
    _attributes()
    _attach_handles()
    _holders()
    _events()


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("retired_boot_ids", sa.JSON(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("agent_version", sa.String(64), nullable=False),
        sa.Column("kernel", sa.String(255), nullable=False),
        sa.Column("rack", sa.String(255), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("numa", sa.JSON(), nullable=False),
        sa.Column("last_heartbeat_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_nodes"),
        sa.UniqueConstraint("name", name="uq_nodes_name"),
        sa.UniqueConstraint("uuid", name="uq_nodes_uuid"),
        **MARIADB,
    )


def _node_drivers() -> None:
    op.create_table(
        "node_drivers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.Integer(), nullable=False),
        sa.Column("driver", sa.String(64), nullable=False),
        sa.Column("failure_kind", sa.String(16), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=False),
        sa.Column("failure_hint", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name="fk_node_drivers_node_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_node_drivers"),
        sa.UniqueConstraint("node_id", "driver", name="uq_node_drivers_node_id_driver"),
        **MARIADB,
    )


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("node_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.String(255), nullable=False),
        sa.Column("driver", sa.String(64), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("vendor", sa.String(255), nullable=False),
        sa.Column("product", sa.String(255), nullable=False),
        sa.Column("model", sa.String(255), nullable=False),
        sa.Column("address", sa.String(32), nullable=True),
        sa.Column("serial", sa.String(255), nullable=True),
        sa.Column("kernel_driver", sa.String(64), nullable=True),
        sa.Column("numa_node", sa.Integer(), nullable=True),
        sa.Column("pci_path", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("std_board_info", sa.JSON(), nullable=False),
        sa.Column("vendor_board_info", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("presence", sa.String(16), nullable=False),
        sa.Column("health", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lost_at", MOMENT, nullable=True),
        sa.Column("unreported_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name="fk_devices_node_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("node_id", "identity", name="uq_devices_node_id_identity"),
        sa.UniqueConstraint("uuid", name="uq_devices_uuid"),
        **MARIADB,
    )
    op.create_index("ix_devices_address", "devices", ["address"])
    op.create_index("ix_devices_created_at", "devices", ["created_at"])
    op.create_index("ix_devices_type_vendor_model", "devices", ["type", "vendor", "model"])
    op.create_index("ix_devices_unreported_at", "devices", ["unreported_at"])
    op.create_index("ix_devices_vendor", "devices", ["vendor"])


def _deployables() -> None:
    op.create_table(
        "deployables",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("root_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("num_accelerators", sa.Integer(), nullable=False),
        sa.Column("rp_uuid", sa.String(36), nullable=True),
        sa.Column("bitstream_id", sa.String(36), nullable=True),
        sa.Column("presence", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_deployables_device_id", ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["deployables.id"], name="fk_deployables_parent_id", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["root_id"], ["deployables.id"], name="fk_deployables_root_id", ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name="pk_deployables"),
        sa.UniqueConstraint("device_id", "name", name="uq_deployables_device_id_name"),
        sa.UniqueConstraint("uuid", name="uq_deployables_uuid"),
        **MARIADB,
    )
    op.create_index("ix_deployables_created_at", "deployables", ["created_at"])
    op.create_index("ix_deployables_name", "deployables", ["name"])
    op.create_index("ix_deployables_parent_id", "deployables", ["parent_id"])
    op.create_index("ix_deployables_root_id", "deployables", ["root_id"])
    op.create_index("ix_deployables_rp_uuid", "deployables", ["rp_uuid"])


def _attributes() -> None:
    op.create_table(
        "attributes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("deployable_id", sa.Integer(), nullable=False),
        sa.Column("driver_key", sa.String(255), nullable=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["deployable_id"], ["deployables.id"], name="fk_attributes_deployable_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attributes"),
        sa.UniqueConstraint("deployable_id", "driver_key", name="uq_attributes_deployable_id_driver_key"),
        sa.UniqueConstraint("uuid", name="uq_attributes_uuid"),
        **MARIADB,
    )
    op.create_index("ix_attributes_key", "attributes", ["key"])


def _attach_handles() -> None:
    op.create_table(
        "attach_handles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("deployable_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("info", sa.JSON(), nullable=False),
        sa.Column("info_key", sa.String(512), nullable=False),
        sa.Column("presence", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["deployable_id"], ["deployables.id"], name="fk_attach_handles_deployable_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attach_handles"),
        sa.UniqueConstraint("deployable_id", "info_key", name="uq_attach_handles_deployable_id_info_key"),
        sa.UniqueConstraint("uuid", name="uq_attach_handles_uuid"),
        **MARIADB,
    )


def _holders() -> None:
    op.create_table(
        "holders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("attach_handle_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["attach_handle_id"], ["attach_handles.id"], name="fk_holders_attach_handle_id", ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_holders"),
        sa.UniqueConstraint("attach_handle_id", name="uq_holders_attach_handle_id"),
        sa.UniqueConstraint("uuid", name="uq_holders_uuid"),
        **MARIADB,
    )
    op.create_index("ix_holders_project_id", "holders", ["project_id"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("node", sa.String(255), nullable=True),
        sa.Column("device_uuid", sa.String(36), nullable=True),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("uuid", name="uq_events_uuid"),
        **MARIADB,
    )
    op.create_index("ix_events_device_uuid_id", "events", ["device_uuid", "id"])
    op.create_index("ix_events_node_id", "events", ["node", "id"])
    op.create_index("ix_events_occurred_at", "events", ["occurred_at"])
