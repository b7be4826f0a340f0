"""The tables. What must always hold is a constraint here wherever a database can hold it.

Every table has an integer key, which never leaves the process except as ``device_id`` and ``deployable_id`` (the wire
contract shows those two), and a UUID by which everybody else knows the row. Names compare exactly on every database:
MariaDB is told to use a binary collation.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
_BigId = BigInteger().with_variant(Integer(), "sqlite")  # SQLite gives row ids to INTEGER keys only


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with microseconds, UTC in the database and aware in Python."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Ask MariaDB for microseconds, which it drops unless told."""
        return dialect.type_descriptor(mysql.DATETIME(fsp=6) if dialect.name in {"mysql", "mariadb"} else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class passes it
        """Store UTC without a zone: the same on all three databases."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class passes it
        """Put the zone back."""
        return value.replace(tzinfo=UTC) if value is not None else None


class Base(DeclarativeBase):
    """The metadata that migrations are compared with."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime()}


MARIADB = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Node(Base):
    """A host that an agent runs on."""

    __tablename__ = "nodes"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    state: Mapped[str] = mapped_column(String(16))  # model.node.NodeState
    boot_id: Mapped[str] = mapped_column(String(64))
    retired_boot_ids: Mapped[list[str]] = mapped_column(JSON)  # newest last; what still comes from them is stale
    sequence: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[str] = mapped_column(String(64))
    agent_version: Mapped[str] = mapped_column(String(64))
    kernel: Mapped[str] = mapped_column(String(255))
    rack: Mapped[str] = mapped_column(String(255))
    labels: Mapped[dict[str, str]] = mapped_column(JSON)
    numa: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    agent: Mapped[str] = mapped_column(String(255), server_default="")  # whom to ask; empty: who is named as the node
    has_kubelet: Mapped[bool] = mapped_column(default=False, server_default=false())  # whether one says what pods use
    last_heartbeat_at: Mapped[datetime]  # no index: it changes with every heartbeat, and nodes are few
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class NodeDriver(Base):
    """The newest word of one driver on one node: fine, or why it could not look."""

    __tablename__ = "node_drivers"
    __table_args__ = (UniqueConstraint("node_id", "driver"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id", ondelete="CASCADE"))
    driver: Mapped[str] = mapped_column(String(64))
    failure_kind: Mapped[str | None] = mapped_column(String(16))  # model.report.FailureKind; NULL: it answered
    failure_message: Mapped[str] = mapped_column(Text)
    failure_hint: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class Device(Base):
    """One physical card or controller."""

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("node_id", "identity"),
        Index("ix_devices_type_vendor_model", "type", "vendor", "model"),
        MARIADB,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id", ondelete="RESTRICT"))
    identity: Mapped[str] = mapped_column(String(255))
    driver: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(16))
    vendor: Mapped[str] = mapped_column(String(255), index=True)
    product: Mapped[str] = mapped_column(String(255))
    model: Mapped[str] = mapped_column(String(255))
    address: Mapped[str | None] = mapped_column(String(32), index=True)
    serial: Mapped[str | None] = mapped_column(String(255))
    kernel_driver: Mapped[str | None] = mapped_column(String(64))
    numa_node: Mapped[int | None]
    pci_path: Mapped[list[str]] = mapped_column(JSON)
    links: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    std_board_info: Mapped[dict[str, str]] = mapped_column(JSON)
    vendor_board_info: Mapped[str] = mapped_column(Text)
    signals_text: Mapped[str | None] = mapped_column(_LongText)  # what accel.db.signal_texts keeps
    status: Mapped[str] = mapped_column(String(16))  # what the operator wants: enabled or maintaining
    presence: Mapped[str] = mapped_column(String(16))  # model.device.Presence
    health: Mapped[str] = mapped_column(String(16))  # model.device.Health
    reason: Mapped[str] = mapped_column(Text)
    lost_at: Mapped[datetime | None]
    unreported_at: Mapped[datetime | None] = mapped_column(index=True)  # since when no driver mentions it
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime | None]


class Deployable(Base):
    """A part of a device that can be scheduled alone."""

    __tablename__ = "deployables"
    __table_args__ = (UniqueConstraint("device_id", "name"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="RESTRICT"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("deployables.id", ondelete="RESTRICT"), index=True)
    root_id: Mapped[int | None] = mapped_column(ForeignKey("deployables.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(String(255), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # model.device.DeployableKind
    num_accelerators: Mapped[int]
    rp_uuid: Mapped[str | None] = mapped_column(String(36), index=True)
    bitstream_id: Mapped[str | None] = mapped_column(String(36))
    presence: Mapped[str] = mapped_column(String(16))
    attributes_text: Mapped[str | None] = mapped_column(_LongText)  # what accel.db.attribute_texts keeps
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime | None]


class Attribute(Base):
    """A key and a value on a deployable.

    A driver has one value for a key; operators may add as many as they like, as the wire contract has it.
    ``driver_key`` is the key on a driver's row and NULL on an operator's, so that one constraint says both.
    """

    __tablename__ = "attributes"
    __table_args__ = (UniqueConstraint("deployable_id", "driver_key"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    # Its index has the rows of a deployable in the order of their making; that of the constraint has not.
    deployable_id: Mapped[int] = mapped_column(ForeignKey("deployables.id", ondelete="CASCADE"), index=True)
    driver_key: Mapped[str | None] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(255), index=True)
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class AttachHandle(Base):
    """What is handed to a workload."""

    __tablename__ = "attach_handles"
    __table_args__ = (UniqueConstraint("deployable_id", "info_key"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    deployable_id: Mapped[int] = mapped_column(ForeignKey("deployables.id", ondelete="RESTRICT"))
    type: Mapped[str] = mapped_column(String(16))  # model.device.HandleType
    info: Mapped[dict[str, str]] = mapped_column(JSON)
    info_key: Mapped[str] = mapped_column(String(512))  # info as compact JSON with sorted keys: what makes it unique
    presence: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class Holder(Base):
    """Who has an attach handle. That there is never a second one is the unique foreign key."""

    __tablename__ = "holders"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    attach_handle_id: Mapped[int] = mapped_column(ForeignKey("attach_handles.id", ondelete="RESTRICT"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))  # instance, pod, reservation, process
    name: Mapped[str] = mapped_column(String(255))
    project_id: Mapped[str | None] = mapped_column(String(255), index=True)
    request_id: Mapped[int | None] = mapped_column(
        ForeignKey("accelerator_requests.id", ondelete="RESTRICT"), unique=True
    )
    created_at: Mapped[datetime]


class DeviceProfile(Base):
    """A named description of what a workload needs."""

    __tablename__ = "device_profiles"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)  # over all projects: Nova knows it by its name only
    description: Mapped[str | None] = mapped_column(Text)
    groups: Mapped[list[dict[str, str]]] = mapped_column(JSON)  # model.profile.Groups; their keys have an order
    version: Mapped[int]  # one more with each change: who changes it says which one was read
    project_id: Mapped[str | None] = mapped_column(String(255), index=True)  # NULL: nobody's
    is_public: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class AcceleratorRequest(Base):
    """One accelerator asked for, under a device profile of whose group it keeps a copy, or by a claim of placement."""

    __tablename__ = "accelerator_requests"
    __table_args__ = (Index("ix_accelerator_requests_project_id_id", "project_id", "id"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    project_id: Mapped[str] = mapped_column(String(255))  # of whoever made it
    state: Mapped[str] = mapped_column(String(16))  # model.request.RequestState
    profile_id: Mapped[int | None] = mapped_column(ForeignKey("device_profiles.id", ondelete="RESTRICT"), index=True)
    profile_name: Mapped[str] = mapped_column(String(255))  # empty where there is none
    claim_id: Mapped[int | None] = mapped_column(ForeignKey("placement_claims.id", ondelete="SET NULL"), index=True)
    group_index: Mapped[int]
    group: Mapped[dict[str, str]] = mapped_column(JSON)
    resource_class: Mapped[str] = mapped_column(String(255))
    hostname: Mapped[str | None] = mapped_column(String(255))
    device_rp_uuid: Mapped[str | None] = mapped_column(String(36))
    instance_uuid: Mapped[str | None] = mapped_column(String(255), index=True)  # Nova's, a UUID by custom only
    reason: Mapped[str] = mapped_column(Text)  # why it could not be bound, or what holds it up
    steps: Mapped[list[str]] = mapped_column(JSON)  # the work on the node, in its order; empty: none
    worker: Mapped[str | None] = mapped_column(String(255))  # the conductor that is at work on it
    deadline_at: Mapped[datetime | None] = mapped_column(index=True)  # until when that work is to be done
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class PlacementClaim(Base):
    """What was asked for and taken in one go, on one node or several; its requests say what that is.

    It is there as long as it holds something. Whoever asks again with the same key gets the same claim: that there is
    one at most is the unique constraint, and a claim without a key is equal to none.
    """

    __tablename__ = "placement_claims"
    __table_args__ = (
        UniqueConstraint("project_id", "idempotency_key"),
        Index("ix_placement_claims_project_id_id", "project_id", "id"),
        MARIADB,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    project_id: Mapped[str] = mapped_column(String(255))  # of whoever made it
    user_id: Mapped[str | None] = mapped_column(String(255))
    consumer: Mapped[str] = mapped_column(String(255))  # what it is for, as whoever made it calls it; may be empty
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)  # what was asked for, as it was asked
    request_hash: Mapped[str] = mapped_column(String(64))  # of the same: what a repetition is compared with
    lease_seconds: Mapped[int | None]  # how long it is held unless renewed; NULL: until it is released
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class Quota(Base):
    """How many accelerators of a resource class a project may hold. Without a row there is no limit."""

    __tablename__ = "quotas"
    __table_args__ = (UniqueConstraint("project_id", "resource_class"), MARIADB)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(String(255))
    resource_class: Mapped[str] = mapped_column(String(255))
    limit: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class Notification(Base):
    """What Nova is still to be told: written with the change itself, gone when Nova has taken it."""

    __tablename__ = "notifications"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(_BigId, primary_key=True)
    request_uuid: Mapped[str] = mapped_column(String(36))
    instance_uuid: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16))  # model.notification.NotificationStatus
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime] = mapped_column(index=True)
    last_error: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class PlacementNode(Base):
    """How far OpenStack Placement agrees with what is recorded of a node: ``accel.db.placement_nodes``."""

    __tablename__ = "placement_nodes"
    __table_args__ = (MARIADB,)

    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(255), unique=True)
    changes: Mapped[int] = mapped_column(BigInteger)  # one more with each change that may concern Placement
    told: Mapped[int] = mapped_column(BigInteger)  # how many of them it knows of
    due_at: Mapped[datetime] = mapped_column(index=True)  # when to look after it; until then somebody may be at it
    state: Mapped[str] = mapped_column(String(16))  # model.provider.SyncState
    reason: Mapped[str] = mapped_column(Text)
    failures: Mapped[int]  # how often in succession it has not come to agree
    known: Mapped[dict[str, Any]] = mapped_column(JSON)  # model.provider.Known: what Placement had then


class Event(Base):
    """One change: what, before, after, when and by whom. Written in the transaction of the change itself.

    Names and UUIDs are copied, not referenced: history outlives what it tells of.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_device_uuid_id", "device_uuid", "id"),
        Index("ix_events_node_id", "node", "id"),
        MARIADB,
    )

    id: Mapped[int] = mapped_column(_BigId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)
    kind: Mapped[str] = mapped_column(String(64))  # model.event.EventKind
    node: Mapped[str | None] = mapped_column(String(255))
    device_uuid: Mapped[str | None] = mapped_column(String(36))
    subject: Mapped[str] = mapped_column(String(255))  # what changed, as a person would name it
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    source: Mapped[str] = mapped_column(String(255))  # driver:<name>, agent, conductor, api or api:<user>
    request_id: Mapped[str | None] = mapped_column(String(64))
    project_id: Mapped[str | None] = mapped_column(String(255), index=True)  # whose affair it is; NULL: nobody's alone
    occurred_at: Mapped[datetime] = mapped_column(index=True)
