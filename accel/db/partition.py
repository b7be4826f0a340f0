"""What devices tell of being cut into parts, and who has something of them."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, cast, func, select

from accel.db.fences import FENCE
from accel.db.job_tables import Job
from accel.db.paging import AnySelect
from accel.db.tables import AttachHandle, Deployable, Device, Holder, Node
from accel.model.job import ENDED
from accel.model.partition_facts import SCHEME_FACT


class DividedRow(NamedTuple):
    """A device that tells how it can be cut."""

    id: int
    uuid: str
    node: str
    node_state: str
    address: str | None
    identity: str
    model: str
    presence: str
    status: str
    health: str
    std_board_info: dict[str, str]
    job: str | None
    """The UUID of a job that is at it."""


class HeldRow(NamedTuple):
    """Somebody has an attach handle of a device."""

    device_id: int
    info: dict[str, str]
    kind: str
    name: str
    project_id: str | None


_JOB = (
    select(func.min(Job.uuid))
    .where(Job.device_uuid == Device.uuid, Job.state.not_in(sorted(ENDED)))
    .correlate(Device)
    .scalar_subquery()
)
_DEVICES: AnySelect = (
    select(
        Device.id,
        Device.uuid,
        Node.name,
        Node.state,
        Device.address,
        Device.identity,
        Device.model,
        Device.presence,
        Device.status,
        Device.health,
        Device.std_board_info,
        _JOB,
    )
    .join_from(Device, Node, Node.id == Device.node_id)
    .where(cast(Device.std_board_info, Text).contains(f'"{SCHEME_FACT}"', autoescape=True))
    .order_by(Device.id)
)
_HELD: AnySelect = (
    select(Deployable.device_id, AttachHandle.info, Holder.kind, Holder.name, Holder.project_id)
    .join_from(Holder, AttachHandle, AttachHandle.id == Holder.attach_handle_id)
    .join(Deployable, Deployable.id == AttachHandle.deployable_id)
    .where(Holder.kind != FENCE)  # a fence is a job's, and is told of as such
    .order_by(Holder.id)
)


def divided(
    connection: Connection, *, uuids: Collection[str] = (), node: str = "", model: str = ""
) -> list[tuple[DividedRow, list[HeldRow]]]:
    """The devices that tell how they can be cut, each with who has something of it.

    :param uuids: of these devices only; none: of all
    """
    query = _DEVICES
    if uuids:
        query = query.where(Device.uuid.in_(sorted({uuid.lower() for uuid in uuids})))
    if node:
        query = query.where(Node.name == node)
    if model:
        query = query.where(Device.model == model)
    devices = [DividedRow._make(row) for row in connection.execute(query)]
    held: dict[int, list[HeldRow]] = {}
    chosen: Any = query.with_only_columns(Device.id).order_by(None)
    for row in connection.execute(_HELD.where(Deployable.device_id.in_(chosen))):
        found = HeldRow._make(row)
        held.setdefault(found.device_id, []).append(found)
    return [(device, held.get(device.id, [])) for device in devices]
