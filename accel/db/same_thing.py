"""When two attach handles stand for one thing, and somebody has it by the other one.

A card is lost while somebody holds its PCI function, and another one is put into its slot. Whoever holds the function
would get the new card with it, so until the holding has ended the new card's handle is no more free than the old one's.
"""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.model.device import Health, Presence

_device, _part, _handle, _holder = aliased(Device), aliased(Deployable), aliased(AttachHandle), aliased(Holder)
"""What somebody holds, beside the rows of the statement that asks."""
_HELD: Select[int, str, str] = (
    select(_device.node_id, _handle.type, _handle.info_key)
    .join_from(_device, _part, _part.device_id == _device.id)
    .join(_handle, _handle.deployable_id == _part.id)
    .join(_holder, _holder.attach_handle_id == _handle.id)
)


def held_through_another_handle() -> ColumnElement[bool]:
    """Whether somebody has what a handle stands for by another handle on the node.

    It looks at all handles of the node, for each row: it is for few rows. As long as PostgreSQL knows nothing of the
    tables, before its first ANALYZE, it takes them for almost empty and would begin such a question at its other end,
    with everything that is held anywhere. With questions that stand inside of one another it has no choice: each is
    answered by the keys of the row around it.
    """
    its_device = select(Deployable.device_id).where(Deployable.id == AttachHandle.deployable_id)
    its_node = select(Device.node_id).where(Device.id == _inside(its_device, AttachHandle))
    holder = select(_holder.id).where(_holder.attach_handle_id == _handle.id)
    same = select(func.count()).where(
        _handle.deployable_id == _part.id,
        _handle.info_key == AttachHandle.info_key,
        _handle.type == AttachHandle.type,
        _handle.id != AttachHandle.id,
        _inside(holder, _handle).is_not(None),
    )
    of_device = select(func.sum(_inside(same, _part, AttachHandle))).where(_part.device_id == _device.id)
    of_node = select(func.sum(_inside(of_device, _device, AttachHandle)))
    return _inside(of_node.where(_device.node_id == _inside(its_node, AttachHandle)), AttachHandle) > 0


def held_through_doubtful_handle() -> ColumnElement[bool]:
    """The same for many rows, of present and healthy devices: it looks at all that is held in the fleet, once.

    A thing has two handles where one of them is lost, or where the driver of one does not answer and another driver
    names the thing. Only such handles are looked for, so that there are few to compare with.
    """
    is_doubtful = or_(
        _device.presence == Presence.LOST,
        _part.presence == Presence.LOST,
        _handle.presence == Presence.LOST,
        _device.health == Health.UNKNOWN,
    )
    return tuple_(Device.node_id, AttachHandle.type, AttachHandle.info_key).in_(_HELD.where(is_doubtful))


def _inside(question: Select[*tuple[Any, ...]], *around: Any) -> ScalarSelect[Any]:
    """The one value of a question that is asked for rows of the statements around it."""
    return question.correlate(*around).scalar_subquery()
