"""Somebody has an attach handle, without a request, a claim or a pod behind it."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, delete, exc, insert, literal, select

from accel.db import history
from accel.db.history import Entry
from accel.db.same_thing import held_through_another_handle
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.errors import Conflict
from accel.model.device import Presence
from accel.model.event import EventKind


def hold(
    connection: Connection, handle_uuid: str, *, kind: str, name: str, project_id: str | None, now: datetime
) -> str:
    """Give an attach handle to a holder, with an event; gives the UUID of the holding.

    :param kind: ``instance``, ``pod``, ``reservation`` or ``process``
    :raises Conflict: there is no such handle, it or its device is lost, or somebody has it or what it stands for
    """
    uuid = str(uuid4())
    offered = (
        select(
            AttachHandle.id,
            literal(uuid),
            literal(kind),
            literal(name),
            literal(project_id, Holder.project_id.type),
            literal(now, Holder.created_at.type),
        )
        .join(Deployable, Deployable.id == AttachHandle.deployable_id)
        .join(Device, Device.id == Deployable.device_id)
        .where(
            AttachHandle.uuid == handle_uuid,
            AttachHandle.presence == Presence.PRESENT,
            Deployable.presence == Presence.PRESENT,
            Device.presence == Presence.PRESENT,
            ~held_through_another_handle(),
        )
    )
    columns = ["attach_handle_id", "uuid", "kind", "name", "project_id", "created_at"]
    try:
        statement = insert(Holder).from_select(columns, offered)
        taken = connection.execute(statement, execution_options={"preserve_rowcount": True})
    except exc.IntegrityError as error:
        raise Conflict(f"attach handle {handle_uuid} has a holder already") from error
    if taken.rowcount != 1:
        raise Conflict(
            f"attach handle {handle_uuid} is not there to be held: it is lost, or what it stands for is held "
            "through the handle of a device that is lost"
        )
    _record(connection, EventKind.HOLDER_ADDED, Holder.uuid == uuid, now)
    return uuid


def release(connection: Connection, holder_uuid: str, *, now: datetime) -> None:
    """End a holding, with an event.

    :raises Conflict: there is none with this UUID: it has ended already
    """
    _record(connection, EventKind.HOLDER_RELEASED, Holder.uuid == holder_uuid, now)
    ended = connection.execute(delete(Holder).where(Holder.uuid == holder_uuid))
    if ended.rowcount != 1:
        raise Conflict(f"holder {holder_uuid} holds nothing")


def _record(connection: Connection, kind: EventKind, is_meant: ColumnElement[bool], now: datetime) -> None:
    """Tell of a holding that has begun, or ends."""
    rows = connection.execute(
        select(
            Holder.uuid,
            Holder.kind,
            Holder.name,
            Holder.project_id,
            AttachHandle.uuid.label("handle"),
            AttachHandle.info,
            Device.uuid.label("device"),
            Node.name.label("node"),
        )
        .join_from(Holder, AttachHandle, AttachHandle.id == Holder.attach_handle_id)
        .join(Deployable, Deployable.id == AttachHandle.deployable_id)
        .join(Device, Device.id == Deployable.device_id)
        .join(Node, Node.id == Device.node_id)
        .where(is_meant)
    )
    is_over = kind is EventKind.HOLDER_RELEASED
    for row in rows:
        told = {"kind": row.kind, "name": row.name, "handle": row.handle, "info": row.info}
        entry = Entry(
            kind=kind,
            subject=row.uuid,
            source=history.CONDUCTOR,
            node=row.node,
            device_uuid=row.device,
            before=told if is_over else None,
            after=None if is_over else told,
            project_id=row.project_id,
        )
        history.write(connection, [entry], now)
