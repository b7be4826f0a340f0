"""The bodies of nodes and of the topology of one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from accel.db.counts import HandleCounts
from accel.db.nodes import DriverRow, NodeDevice, NodeRow
from accel.db.summary import DeviceCounts
from accel.model import topology
from accel.model.device import Device


def render(
    row: NodeRow, drivers: Iterable[DriverRow], devices: DeviceCounts, handles: HandleCounts, *, base_url: str
) -> dict[str, Any]:
    """A node with its drivers and its figures."""
    return {
        "uuid": row.uuid,
        "name": row.name,
        "state": row.state,
        "agent_version": row.agent_version,
        "kernel": row.kernel,
        "rack": row.rack,
        "labels": row.labels,
        "last_heartbeat_at": row.last_heartbeat_at,
        "drivers": [driver._asdict() | {"ok": driver.kind is None} for driver in drivers],
        "counts": {
            "devices": devices.devices,
            **handles._asdict(),
            "unhealthy": devices.unhealthy,
            "unknown": devices.unknown,
            "lost": devices.lost,
            "disabled": devices.disabled,
        },
        "links": [
            {"href": f"{base_url}/v2/nodes/{row.name}", "rel": "self"},
            {"href": f"{base_url}/v2/nodes/{row.name}/topology", "rel": "topology"},
        ],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def render_topology(row: NodeRow, devices: Sequence[NodeDevice]) -> dict[str, Any]:
    """Where the devices of a node sit, and how near each is to each."""
    cpus = {numa["id"]: numa["cpus"] for numa in row.numa}
    names = _names(found.device for found in devices)
    return {
        "node": row.name,
        "numa": row.numa,
        "devices": [_placed(found, name, cpus) for found, name in zip(devices, names, strict=True)],
        "matrix": topology.matrix([found.device for found in devices]),
        "legend": topology.LEGEND,
    }


def _names(devices: Iterable[Device]) -> Iterator[str]:
    """Short names for the rows and columns of the matrix: GPU0, GPU1, NIC0."""
    numbers: defaultdict[str, int] = defaultdict(int)
    for device in devices:
        yield f"{device.type}{numbers[device.type]}"
        numbers[device.type] += 1


def _placed(found: NodeDevice, name: str, cpus: Mapping[int, str]) -> dict[str, Any]:
    device = found.device
    return {
        "uuid": found.uuid,
        "name": name,
        "type": device.type,
        "model": device.model,
        "address": None if device.address is None else str(device.address),
        "numa_node": device.numa_node,
        "cpus": None if device.numa_node is None else cpus.get(device.numa_node),
    }
