"""How devices come to be cut as it is wanted: told, and done."""

from collections.abc import Mapping, Sequence
from typing import Any

from accel.api.call import Call
from accel.api.views import partition as views
from accel.db import devices, jobs, partition
from accel.db.engine import Connection
from accel.db.partition import DividedRow, HeldRow
from accel.db.scope import Scope
from accel.errors import Conflict, InvalidValue, LayoutImpossible
from accel.model.device import Health, Presence
from accel.model.job import JobKind, NewJob
from accel.model.node import DeviceStatus, NodeState
from accel.model.partition_facts import read_facts
from accel.placement.partition import ON_WHOLE, Held, Plan, Subject, plan_demand, plan_layout

_PART_OF_HANDLE = "gpu_instance_id"
"""What of an attach handle tells the part that it stands for; without it, it stands for something of the whole."""
_TIME_LIMIT_SECONDS = 300.0
"""Switching MIG mode may reset the GPU, which takes a minute at most; each part takes less than a second."""


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
        uuid = body["device_uuid"].lower()
        subjects = call.database.read(lambda connection: _named_subjects(connection, [uuid], call.scope))
        return views.render([plan_layout(subjects[uuid], body["layout"])])
    where = {"node": body.get("node", ""), "model": body.get("model", "")}
    rows = call.database.read(lambda connection: partition.divided(connection, **where))
    found = plan_demand(_subjects(rows, call.scope), body["demand"])
    return views.render(found.plans, found)


def apply(call: Call) -> dict[str, Any]:
    """Have devices cut, each by a job: all are ordered, or none.

    :raises NotFound: there is no such device
    :raises LayoutImpossible: a device cannot have what is wanted of it
    :raises Conflict: a device cannot be cut now: somebody has something of it, or it cannot be reached
    """
    changes = call.body["changes"]
    uuids = [change["device_uuid"].lower() for change in changes]
    for place, uuid in enumerate(uuids):
        if uuid in uuids[:place]:
            raise InvalidValue(f"changes[{place}].device_uuid", uuid, "a device that is changed once")

    def order(connection: Connection) -> list[dict[str, str]]:
        subjects = _named_subjects(connection, uuids, call.scope)
        plans = [plan_layout(subjects[uuid], change["layout"]) for uuid, change in zip(uuids, changes, strict=True)]
        return [_ordered(connection, plan, call) for plan in plans if not _checked(plan).is_nothing]

    ordered = call.database.write(order)
    if ordered:
        call.claiming.leave_to_conductors()
    return {"jobs": ordered}


def _checked(plan: Plan) -> Plan:
    if plan.impossible is not None:
        raise LayoutImpossible(plan.text, plan.impossible.rule)
    if not plan.can_be_applied and not plan.is_nothing:
        raise Conflict(plan.text)
    return plan


def _ordered(connection: Connection, plan: Plan, call: Call) -> dict[str, str]:
    new = NewJob(
        kind=JobKind.PARTITION,
        device_uuid=plan.subject.uuid,
        arguments={name: str(count) for name, count in plan.layout.items()},
        time_limit_seconds=_TIME_LIMIT_SECONDS,
    )
    uuid = jobs.order_job(connection, new, origin=call.origin)
    return {"uuid": uuid, "device_uuid": plan.subject.uuid, "device": plan.subject.name}


def _named_subjects(connection: Connection, uuids: Sequence[str], scope: Scope) -> Mapping[str, Subject]:
    """Some devices, by their UUIDs."""
    found = {subject.uuid: subject for subject in _subjects(partition.divided(connection, uuids=uuids), scope)}
    for uuid in uuids:
        if uuid not in found:
            device = devices.get(connection, uuid)
            raise Conflict(f"device {device.uuid} ({device.model}) does not tell that it can be cut into parts")
    return found


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
            is_offered=device.status == DeviceStatus.ENABLED and device.health == Health.HEALTHY,
        )
        for device, held in rows
        if (cut := read_facts(device.std_board_info)) is not None
    ]


def _obstacle(device: DividedRow) -> str:
    if device.presence == Presence.LOST:
        return "it is lost"
    if device.job is not None:
        return f"job {device.job} is at it"
    return "" if device.node_state == NodeState.ONLINE else f"its node {device.node} is {device.node_state}"


def _named(holding: HeldRow, scope: Scope) -> str:
    """A holder in the words that the caller may read: whose it is not, is not told who it is."""
    return f"{holding.kind} {holding.name}" if scope.knows(holding.project_id) else "another project"
