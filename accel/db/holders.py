"""Who has an attach handle.

That there is one holder at most is the unique foreign key of the table, so two transactions cannot both succeed, on
any database and however they interleave.

Two handles can stand for the same thing for a while (``accel.db.same_thing``); then only one of them is given away.
"""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, delete, exc, insert, literal, select

from accel.db.same_thing import held_through_another_handle
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.errors import Conflict
from accel.model.device import Presence


def hold(
    connection: Connection, handle_uuid: str, *, kind: str, name: str, project_id: str | None, now: datetime
) -> str:
    """Give an attach handle to a holder; gives the UUID of the holding.

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
    return uuid


def release(connection: Connection, holder_uuid: str) -> None:
    """End a holding.

    :raises Conflict: there is none with this UUID: it has ended already
    """
    ended = connection.execute(delete(Holder).where(Holder.uuid == holder_uuid))
    if ended.rowcount != 1:
        raise Conflict(f"holder {holder_uuid} holds nothing")
