"""How many attach handles there are, how many are free and how many are held: one meaning for every list.

Free is what could be handed out now: the handle, its deployable and its device are present, the device is enabled and
healthy, and nobody holds the handle, nor what it stands for by another handle. Whether the node is heard at the moment
plays no part: silence says nothing about its devices. What is neither free nor held is there and cannot be used.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import Case, ColumnElement, Connection, Integer, and_, case, func, select
from sqlalchemy.orm import InstrumentedAttribute

from accel.db.paging import AnySelect, belonging_to, rows_of
from accel.db.same_thing import held_through_another_handle, held_through_doubtful_handle
from accel.db.tables import AttachHandle, Deployable, Device, Holder
from accel.model.device import Health, Presence
from accel.model.node import DeviceStatus


class HandleCounts(NamedTuple):
    """Attach handles of one thing."""

    total: int = 0
    free: int = 0
    held: int = 0


def _is_free(is_held_by_another_name: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(
        AttachHandle.presence == Presence.PRESENT,
        Deployable.presence == Presence.PRESENT,
        Device.presence == Presence.PRESENT,
        Device.status == DeviceStatus.ENABLED,
        Device.health == Health.HEALTHY,
        Holder.id.is_(None),
        ~is_held_by_another_name,
    )


IS_FREE = _is_free(held_through_doubtful_handle())
"""Whether a row of handle, deployable, device and (outer joined) holder is a free handle."""

IS_FREE_OF_FEW = _is_free(held_through_another_handle())
"""The same for statements over a page or less, where it costs less."""

_FEW = 200


def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """The number of rows for which the condition holds, 0 where there is no row."""
    one: Case[int] = case((condition, 1), else_=0)
    return func.coalesce(func.sum(one), 0).cast(Integer)


def handle_columns(is_free: ColumnElement[bool]) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[int]]:
    """The columns of ``HandleCounts``, for a statement that is ``joined_to_handles``.

    :param is_free: one of the constants of this module
    """
    return func.count(AttachHandle.id), counted(is_free), func.count(Holder.id)


def joined_to_handles(statement: AnySelect) -> AnySelect:
    """A statement from devices down to the holders of their handles."""
    return (
        statement.join_from(Device, Deployable, Deployable.device_id == Device.id)
        .join(AttachHandle, AttachHandle.deployable_id == Deployable.id)
        .outerjoin(Holder, Holder.attach_handle_id == AttachHandle.id)
    )


def handles_by(
    connection: Connection, column: InstrumentedAttribute[int], keys: Sequence[int]
) -> dict[int, HandleCounts]:
    """Handles grouped by a column of devices, for the given values of it; what has no handle is left out."""
    rows = rows_of(connection, belonging_to(keys, _counted_by(column, are_few=len(keys) <= _FEW), column))
    return {row[0]: HandleCounts._make(row[1:]) for row in rows}


@cache
def _counted_by(column: InstrumentedAttribute[int], *, are_few: bool) -> AnySelect:
    columns = handle_columns(IS_FREE_OF_FEW if are_few else IS_FREE)
    return joined_to_handles(select(column, *columns)).group_by(column)
