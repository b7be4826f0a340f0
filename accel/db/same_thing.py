"""When two attach handles stand for one thing, and somebody has it by the other one.

A card is lost while somebody holds its PCI function, and another one is put into its slot. Whoever holds the function
would get the new card with it, so until the holding has ended the new card's handle is no more free than the old one's.
"""

from sqlalchemy import ColumnElement, Select, exists, or_, select, tuple_
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
    """Whether somebody has what a row of handle and device stands for by another handle on the node.

    It looks at all that is held on the node, for each row: it is for few rows.
    """
    others = _HELD.where(
        _device.node_id == Device.node_id,
        _handle.type == AttachHandle.type,
        _handle.info_key == AttachHandle.info_key,
        _handle.id != AttachHandle.id,
    )
    return exists(others.correlate(AttachHandle, Device))


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
