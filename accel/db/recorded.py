"""What is recorded of one node, read whole in four statements however many devices there are."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from accel.db import rows
from accel.db.rows import AnyRow
from accel.db.tables import AttachHandle, Attribute, Base, Deployable, Device, Holder, NodeDriver
from accel.model import device as model
from accel.model.device import Presence
from accel.model.record import RecordedAttribute, RecordedDeployable, RecordedDevice, RecordedHandle, RecordedNode
from accel.model.report import NodeInfo


def load(connection: Connection, node_id: int, *, info: NodeInfo, boot_id: str) -> RecordedNode:
    """Read a node whose row the caller has read, and locked if it is going to change it."""
    drivers = select(*_columns(NodeDriver, "driver", *rows.DRIVER_COLUMNS)).where(NodeDriver.node_id == node_id)
    devices = select(*_columns(Device, "id", "uuid", "driver", "lost_at", "unreported_at", *rows.DEVICE_COLUMNS))
    parts = _load_deployables(connection, node_id)
    return RecordedNode(
        info=info,
        boot_id=boot_id,
        drivers={row.driver: rows.to_failure(row) for row in connection.execute(drivers)},
        devices=tuple(
            RecordedDevice(
                id=row.id,
                uuid=row.uuid,
                driver=row.driver,
                device=rows.to_device(row),
                lost_at=row.lost_at,
                unreported_at=row.unreported_at,
                deployables=tuple(parts[row.id]),
            )
            for row in connection.execute(devices.where(Device.node_id == node_id).order_by(Device.id))
        ),
    )


def _load_deployables(connection: Connection, node_id: int) -> defaultdict[int, list[RecordedDeployable]]:
    attributes: defaultdict[int, list[RecordedAttribute]] = defaultdict(list)
    for key, deployable_id, name, value in connection.execute(_ATTRIBUTES, {"node": node_id}):
        attribute = model.Attribute(key=name, value=value)
        attributes[deployable_id].append(RecordedAttribute(id=key, attribute=attribute))
    parts: dict[int, AnyRow] = {}
    handles: defaultdict[int, list[RecordedHandle]] = defaultdict(list)
    for row in connection.execute(_DEPLOYABLES, {"node": node_id}):
        parts[row.id] = row
        if row.handle_id is not None:
            handles[row.id].append(_to_recorded_handle(row))
    found: defaultdict[int, list[RecordedDeployable]] = defaultdict(list)
    for row in parts.values():
        parent = parts[row.parent_id].name if row.parent_id is not None else None
        known = RecordedDeployable(
            id=row.id,
            part=rows.to_deployable(row, parent),
            presence=Presence(row.presence),
            attributes=tuple(attributes[row.id]),
            handles=tuple(handles[row.id]),
        )
        found[row.device_id].append(known)
    return found


def _to_recorded_handle(row: AnyRow) -> RecordedHandle:
    return RecordedHandle(
        id=row.handle_id,
        handle=rows.to_handle(row.handle_type, row.handle_info),
        presence=Presence(row.handle_presence),
        is_held=row.holder_id is not None,
    )


def _columns(table: type[Base], *names: str) -> list[Any]:
    return [getattr(table, name) for name in names]


_ATTRIBUTES = (
    select(Attribute.id, Attribute.deployable_id, Attribute.key, Attribute.value)
    .join(Deployable, Deployable.id == Attribute.deployable_id)
    .join(Device, Device.id == Deployable.device_id)
    .where(Device.node_id == bindparam("node"), Attribute.driver_key.is_not(None))
    .order_by(Attribute.id)
)
_DEPLOYABLES: Select[*tuple[Any, ...]] = (
    select(
        *_columns(Deployable, "id", "device_id", "parent_id", "presence", *rows.DEPLOYABLE_COLUMNS),
        AttachHandle.id.label("handle_id"),
        AttachHandle.type.label("handle_type"),
        AttachHandle.info.label("handle_info"),
        AttachHandle.presence.label("handle_presence"),
        Holder.id.label("holder_id"),
    )
    .join(Device, Device.id == Deployable.device_id)
    .outerjoin(AttachHandle, AttachHandle.deployable_id == Deployable.id)
    .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    .where(Device.node_id == bindparam("node"))
    .order_by(Deployable.id, AttachHandle.id)
)
