"""Values of the model to columns and back."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_DNS, uuid3

from sqlalchemy import Row

from accel.db import signal_texts
from accel.model.address import PciAddress
from accel.model.device import (
    AttachHandle,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    Health,
    Link,
    LinkKind,
    Presence,
)
from accel.model.report import Failure, FailureKind, NodeInfo, NumaNode

Values = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns are known by their names only."""

NODE_COLUMNS = ("agent_version", "kernel", "rack", "labels", "numa", "agent")
DEVICE_COLUMNS = (
    "identity",
    "type",
    "vendor",
    "product",
    "model",
    "address",
    "serial",
    "kernel_driver",
    "numa_node",
    "pci_path",
    "links",
    "presence",
    "health",
    "reason",
    "std_board_info",
    "vendor_board_info",
    "signals_text",
)
DEPLOYABLE_COLUMNS = ("name", "kind", "num_accelerators", "rp_uuid")
HANDLE_COLUMNS = ("type", "info", "info_key")
DRIVER_COLUMNS = ("failure_kind", "failure_message", "failure_hint")


def node_values(info: NodeInfo) -> Values:
    """The columns of NODE_COLUMNS; the name is the row's key and does not change."""
    numa = [{"id": node.id, "cpus": node.cpus, "memory_bytes": node.memory_bytes} for node in info.numa]
    return {
        "agent_version": info.agent_version,
        "kernel": info.kernel,
        "rack": info.rack,
        "labels": dict(info.labels),
        "numa": numa,
        "agent": info.agent,
    }


def to_node_info(row: AnyRow) -> NodeInfo:
    """The host of a row with ``name`` and NODE_COLUMNS."""
    return NodeInfo(
        name=row.name,
        agent_version=row.agent_version,
        kernel=row.kernel,
        rack=row.rack,
        labels=row.labels,
        numa=tuple(NumaNode(**numa) for numa in row.numa),
        agent=row.agent,
    )


def driver_values(failure: Failure | None) -> Values:
    """The columns of DRIVER_COLUMNS."""
    if failure is None:
        return {"failure_kind": None, "failure_message": "", "failure_hint": ""}
    return {"failure_kind": failure.kind, "failure_message": failure.message, "failure_hint": failure.hint}


def to_failure(row: AnyRow) -> Failure | None:
    """Why a driver failed, of a row with DRIVER_COLUMNS; None when it did not."""
    if row.failure_kind is None:
        return None
    return Failure(kind=FailureKind(row.failure_kind), message=row.failure_message, hint=row.failure_hint)


def device_values(device: Device) -> Values:
    """The columns of DEVICE_COLUMNS."""
    values = {name: getattr(device, name) for name in DEVICE_COLUMNS if name != "signals_text"}
    return values | {
        "address": str(device.address) if device.address is not None else None,
        "pci_path": list(device.pci_path),
        "links": [{"peer": link.peer, "kind": link.kind, "width": link.width} for link in device.links],
        "std_board_info": dict(device.std_board_info),
        "signals_text": signal_texts.text_of(device.signals),
    }


def to_device(row: AnyRow) -> Device:
    """The device, without its deployables, of a row with DEVICE_COLUMNS."""
    return Device(
        identity=row.identity,
        type=DeviceType(row.type),
        vendor=row.vendor,
        product=row.product,
        model=row.model,
        address=PciAddress.parse(row.address) if row.address is not None else None,
        serial=row.serial,
        kernel_driver=row.kernel_driver,
        numa_node=row.numa_node,
        pci_path=tuple(row.pci_path),
        links=tuple(_to_link(link) for link in row.links),
        presence=Presence(row.presence),
        health=Health(row.health),
        reason=row.reason,
        std_board_info=row.std_board_info,
        vendor_board_info=row.vendor_board_info,
        signals=signal_texts.signals_of(row.signals_text),
    )


def deployable_values(part: Deployable) -> Values:
    """The columns of DEPLOYABLE_COLUMNS. The provider's UUID follows from the name, as OpenStack's users expect."""
    return {
        "name": part.name,
        "kind": part.kind,
        "num_accelerators": part.num_accelerators,
        "rp_uuid": str(uuid3(NAMESPACE_DNS, part.name)),
    }


def to_deployable(row: AnyRow, parent: str | None) -> Deployable:
    """The deployable, without what is in it, of a row with DEPLOYABLE_COLUMNS."""
    return Deployable(
        name=row.name, kind=DeployableKind(row.kind), parent=parent, num_accelerators=row.num_accelerators
    )


def handle_values(handle: AttachHandle) -> Values:
    """The columns of HANDLE_COLUMNS."""
    return {"type": handle.type, "info": dict(handle.info), "info_key": handle.key}


def to_handle(type_: str, info: Mapping[str, str]) -> AttachHandle:
    """The attach handle of the columns ``type`` and ``info``."""
    return AttachHandle(type=HandleType(type_), info=info)


def _to_link(link: Mapping[str, Any]) -> Link:
    return Link(peer=link["peer"], kind=LinkKind(link["kind"]), width=link["width"])
