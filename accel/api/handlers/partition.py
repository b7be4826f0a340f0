"""How devices come to be cut as it is wanted: told, and done."""

from collections.abc import Sequence
from typing import Any

from accel.api.call import Call
from accel.api.views import partition as views
from accel.db import devices, partition
from accel.db.engine import Connection
from accel.db.partition import DividedRow, HeldRow
from accel.db.scope import Scope
from accel.errors import Conflict, InvalidValue
from accel.model.device import Presence
from accel.model.node import NodeState
from accel.model.partition_facts import read_facts
from accel.placement.partition import ON_WHOLE, Held, Subject, plan_demand, plan_layout

_PART_OF_HANDLE = "gpu_instance_id"
"""What of an attach handle tells the part that it stands for; without it, it stands for something of the whole."""


def plan(call: Call) -> dict[str, Any]:
    """What it takes to have a layout on a device, or so many parts free in a pool.

    :raises InvalidValue: both are asked, or neither
    :raises NotFound: there is no such device
    :raises Conflict: the device cannot be cut
    """
    body = call.body
    if ("demand" in body) == ("layout" in body) or ("device_uuid" in body) != ("layout" in body):
        raise InvalidValue("body", sorted(body), "device_uuid with layout, or demand, with node and model if need be")
    if "layout" in body:
        subject = call.database.read(lambda connection: _subject(connection, body["device_uuid"], call.scope))
        return views.render([plan_layout(subject, body["layout"])])
    where = {"node": body.get("node", ""), "model": body.get("model", "")}
    rows = call.database.read(lambda connection: partition.divided(connection, **where))
    found = plan_demand(_subjects(rows, call.scope), body["demand"])
    return views.render(found.plans, found)


def _subject(connection: Connection, uuid: str, scope: Scope) -> Subject:
    found = _subjects(partition.divided(connection, uuids=[uuid]), scope)
    if found:
        return found[0]
    device = devices.get(connection, uuid)
    raise Conflict(f"device {device.uuid} ({device.model}) does not tell that it can be cut into parts")


def _subjects(rows: Sequence[tuple[DividedRow, list[HeldRow]]], scope: Scope) -> list[Subject]:
    """Devices as plans see them; one that tells what nobody understands is left out."""
    return [
        Subject(
            uuid=device.uuid,
            name=f"{device.node}/{device.address or device.identity}",
            model=device.model,
            cut=cut,
            held=tuple(Held(one.info.get(_PART_OF_HANDLE, ON_WHOLE), _named(one, scope)) for one in held),
            obstacle=_obstacle(device),
        )
        for device, held in rows
        if (cut := read_facts(device.std_board_info)) is not None
    ]


def _obstacle(device: DividedRow) -> str:
    if device.presence == Presence.LOST:
        return "it is lost"
    return "" if device.node_state == NodeState.ONLINE else f"its node {device.node} is {device.node_state}"


def _named(holding: HeldRow, scope: Scope) -> str:
    """A holder in the words that the caller may read: whose it is not, is not told who it is."""
    return f"{holding.kind} {holding.name}" if scope.knows(holding.project_id) else "another project"
