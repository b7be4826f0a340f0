"""Devices and reports for tests: ordinary ones, changed where a test says so."""

from dataclasses import replace
from typing import Any

from accel.model.address import PciAddress
from accel.model.attribute import resource_class
from accel.model.device import (
    AttachHandle,
    Attribute,
    Deployable,
    DeployableKind,
    Device,
    DeviceType,
    HandleType,
    weak_identity,
)
from accel.model.report import DriverReport, Failure, FailureKind, Heartbeat, NodeInfo, NodeReport

NODE = "node-1"
FAILURE = Failure(kind=FailureKind.TIMEOUT, message="no answer within 30 s", hint="look at dmesg")


def pci_handle(number: int, function: int = 0) -> AttachHandle:
    """The handle of the function of a card in slot ``number``."""
    info = {
        "domain": "0000",
        "bus": f"{number % 256:02x}",
        "device": f"{number // 256:02x}",
        "function": f"{function:x}",
    }
    return AttachHandle(type=HandleType.PCI, info=info)


def card(number: int, **changed: Any) -> Deployable:
    """The one deployable of an ordinary card, with one handle."""
    part = Deployable(
        name=f"{NODE}_{address(number)}",
        kind=DeployableKind.CARD,
        num_accelerators=1,
        attributes=(resource_class("PGPU"), Attribute(key="memory_bytes", value="85899345920")),
        handles=(pci_handle(number),),
    )
    return replace(part, **changed)


def child(number: int, index: int, **changed: Any) -> Deployable:
    """A MIG instance of the card in slot ``number``, with one handle."""
    part = Deployable(
        name=f"{NODE}_{address(number)}_mig{index}",
        kind=DeployableKind.MIG,
        parent=f"{NODE}_{address(number)}",
        num_accelerators=1,
        attributes=(resource_class("CUSTOM_MIG_1G_10GB"),),
        handles=(AttachHandle(type=HandleType.MIG, info={"uuid": f"MIG-{number}-{index}"}),),
    )
    return replace(part, **changed)


def gpu(number: int, **changed: Any) -> Device:
    """A card with an identity of its own, in slot ``number`` unless moved."""
    device = Device(
        identity=f"GPU-{number}",
        type=DeviceType.GPU,
        vendor="10de",
        product="20b0",
        model="NVIDIA A100",
        address=address(number),
        numa_node=number % 2,
        pci_path=("pci0000:00", "0000:00:01.0"),
        std_board_info={"product_id": "0x20b0"},
        deployables=(card(number),),
    )
    return replace(device, **changed)


def unnamed(number: int, **changed: Any) -> Device:
    """The card of slot ``number`` as one sees it that cannot ask it for its UUID."""
    return gpu(number, identity=weak_identity(address(number)), **changed)


def address(number: int) -> PciAddress:
    """Where the card of a slot is."""
    return PciAddress(0, number % 256, number // 256, 0)


def answer(*devices: Device, driver: str = "nvidia") -> DriverReport:
    """What a driver saw."""
    return DriverReport(driver=driver, devices=devices)


def failed(driver: str = "nvidia", failure: Failure = FAILURE) -> DriverReport:
    """That a driver has no answer."""
    return DriverReport(driver=driver, failure=failure)


def report(*drivers: DriverReport, sequence: int = 1, boot_id: str = "boot-1", **node: Any) -> NodeReport:
    """Everything about NODE, or about a node changed as the further arguments say."""
    info = replace(NodeInfo(name=NODE, agent_version="0.1.0", kernel="6.1", labels={"zone": "a"}), **node)
    return NodeReport(node=info, boot_id=boot_id, sequence=sequence, drivers=drivers)


def heartbeat(of: NodeReport, content_hash: str, sequence: int) -> Heartbeat:
    """A sign of life that stands for a report."""
    return Heartbeat(node=of.node.name, boot_id=of.boot_id, sequence=sequence, content_hash=content_hash)
