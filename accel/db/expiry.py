"""Remove what is lost and held by nobody: devices after a grace time, parts of devices at once.

A part can be lost only because somebody held it when it vanished; when it is given back there is nothing to wait for.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, select, union
from sqlalchemy.orm import aliased

from accel.db import history, rows
from accel.db.history import CONDUCTOR, Entry, device_name
from accel.db.inventory import remove_deployables
from accel.db.rows import AnyRow
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.model.device import Presence
from accel.model.event import EventKind

Conditions = tuple[ColumnElement[bool], ...]


class Removed(NamedTuple):
    """How much was removed."""

    devices: int = 0
    deployables: int = 0
    handles: int = 0


def remove_expired(connection: Connection, *, lost_before: datetime, now: datetime) -> Removed:
    """Remove devices lost before a moment, and lost parts, as far as nobody holds anything of them.

    The rows of the nodes concerned are locked first, as for a report: a device cannot return while it is removed.
    """
    nodes = _lock_nodes(connection, lost_before)
    if not nodes:
        return Removed()
    handles = _remove_handles(connection, nodes)
    deployables = _remove_deployables(connection, nodes)
    devices = _remove_devices(connection, nodes, lost_before)
    history.write(connection, [*handles, *deployables, *devices], now)
    return Removed(devices=len(devices), deployables=len(deployables), handles=len(handles))


def _lock_nodes(connection: Connection, lost_before: datetime) -> Sequence[int]:
    concerned = union(
        select(Device.node_id).where(*_expired_device(lost_before)),
        select(Device.node_id).join(Deployable).where(*_expired_deployable()),
        select(Device.node_id).join(Deployable).join(AttachHandle).where(*_expired_handle()),
    )
    keys = connection.scalars(concerned).all()
    if not keys:
        return ()
    return connection.scalars(select(Node.id).where(Node.id.in_(keys)).order_by(Node.id).with_for_update()).all()


def _expired_handle() -> Conditions:
    held = exists().where(Holder.attach_handle_id == AttachHandle.id)
    return AttachHandle.presence == Presence.LOST, ~held


def _expired_deployable() -> Conditions:
    """Nothing is left in it. A part of a part goes first, and the whole at the next time."""
    child = aliased(Deployable)
    handles = exists().where(AttachHandle.deployable_id == Deployable.id)
    return Deployable.presence == Presence.LOST, ~handles, ~exists().where(child.parent_id == Deployable.id)


def _expired_device(lost_before: datetime) -> Conditions:
    held = (
        exists()
        .where(Holder.attach_handle_id == AttachHandle.id)
        .where(AttachHandle.deployable_id == Deployable.id)
        .where(Deployable.device_id == Device.id)
        .correlate(Device)
    )
    return Device.presence == Presence.LOST, Device.lost_at < lost_before, ~held


def _remove_handles(connection: Connection, nodes: Sequence[int]) -> list[Entry]:
    parts = select(AttachHandle.id, AttachHandle.info_key, Deployable.name, Device.uuid, Node.name.label("node"))
    parts = parts.select_from(AttachHandle).join(Deployable).join(Device).join(Node)
    found = connection.execute(parts.where(Node.id.in_(nodes), *_expired_handle())).all()
    if found:
        connection.execute(delete(AttachHandle).where(AttachHandle.id.in_([row.id for row in found])))
    return [_entry(EventKind.HANDLE_REMOVED, row.node, row.uuid, f"{row.name} {row.info_key}") for row in found]


def _remove_deployables(connection: Connection, nodes: Sequence[int]) -> list[Entry]:
    parts = select(Deployable.id, Deployable.name, Device.uuid, Node.name.label("node"))
    parts = parts.select_from(Deployable).join(Device).join(Node)
    found = connection.execute(parts.where(Node.id.in_(nodes), *_expired_deployable())).all()
    remove_deployables(connection, [row.id for row in found])
    return [_entry(EventKind.DEPLOYABLE_REMOVED, row.node, row.uuid, row.name) for row in found]


def _remove_devices(connection: Connection, nodes: Sequence[int], lost_before: datetime) -> list[Entry]:
    whole = [getattr(Device, name) for name in ("id", "uuid", "driver", *rows.DEVICE_COLUMNS)]
    devices = select(*whole, Node.name.label("node")).join(Node)
    found = connection.execute(devices.where(Node.id.in_(nodes), *_expired_device(lost_before))).all()
    if not found:
        return []
    keys = [row.id for row in found]
    remove_deployables(
        connection, connection.scalars(select(Deployable.id).where(Deployable.device_id.in_(keys))).all()
    )
    connection.execute(delete(Device).where(Device.id.in_(keys)))
    return [_removed_device(row) for row in found]


def _removed_device(row: AnyRow) -> Entry:
    device = rows.to_device(row)
    before = rows.device_values(device) | {"driver": row.driver}
    return _entry(EventKind.DEVICE_REMOVED, row.node, row.uuid, device_name(device), before=before)


def _entry(kind: EventKind, node: str, device_uuid: str, subject: str, *, before: rows.Values | None = None) -> Entry:
    return Entry(kind=kind, subject=subject, source=CONDUCTOR, node=node, device_uuid=device_uuid, before=before)
