"""Remove what is gone and held by nobody, node by node: ``accel.model.expiry`` decides what that is."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, select, union
from sqlalchemy.orm import aliased

from accel.db import history, inventory, recorded
from accel.db.heard import lock
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.model.device import Presence
from accel.model.diff import DeployableChange, DeviceChange, HandleChange
from accel.model.expiry import expired

Conditions = tuple[ColumnElement[bool], ...]


class Removed(NamedTuple):
    """How much was removed. What was in something that is counted is not counted again."""

    devices: int = 0
    deployables: int = 0
    handles: int = 0


def nodes_with_expired(connection: Connection, *, unreported_before: datetime) -> Sequence[str]:
    """The names of the nodes of which something may have to be removed."""
    concerned = union(
        select(Device.node_id).where(*_expired_device(unreported_before)),
        select(Device.node_id).join(Deployable).where(*_expired_deployable()),
        select(Device.node_id).join(Deployable).join(AttachHandle).where(*_expired_handle()),
    )
    return connection.scalars(select(Node.name).where(Node.id.in_(concerned)).order_by(Node.name)).all()


def remove_expired(connection: Connection, name: str, *, unreported_before: datetime, now: datetime) -> Removed:
    """Remove from a node the devices that no driver mentions since before a moment, and lost parts, as far as nobody
    holds anything of them.

    The row of the node is locked first, as for a report: a device cannot return while it is removed.
    """
    node = lock(connection, name)
    if node is None:
        return Removed()
    known = recorded.load(connection, node.id, info=node.info, boot_id=node.boot_id)
    changes = expired(known.devices, unreported_before=unreported_before)
    inventory.apply(connection, node.id, known, changes, now)
    history.write(connection, history.entries(changes, node=name, new_devices={}, source=history.CONDUCTOR), now)
    return Removed(*(sum(isinstance(change, kind) for change in changes) for kind in _COUNTED))


_COUNTED = (DeviceChange, DeployableChange, HandleChange)


def _expired_handle() -> Conditions:
    return AttachHandle.presence == Presence.LOST, ~exists().where(Holder.attach_handle_id == AttachHandle.id)


def _expired_deployable() -> Conditions:
    """It stands for nothing any more: neither for a handle nor for a part of it."""
    child = aliased(Deployable)
    handles = exists().where(AttachHandle.deployable_id == Deployable.id)
    return Deployable.presence == Presence.LOST, ~handles, ~exists().where(child.parent_id == Deployable.id)


def _expired_device(unreported_before: datetime) -> Conditions:
    held = (
        exists()
        .where(Holder.attach_handle_id == AttachHandle.id)
        .where(AttachHandle.deployable_id == Deployable.id)
        .where(Deployable.device_id == Device.id)
        .correlate(Device)
    )
    return Device.unreported_at < unreported_before, ~held
