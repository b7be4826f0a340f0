"""Devices, what can be scheduled of them, and what is handed to a workload.

These are the values that drivers make, that travel to the conductor and that are compared with what is recorded.
A value never changes: a change is a new value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from accel.model.address import PciAddress

WEAK_IDENTITY_PREFIX = "pci:"

FUNCTIONS = "functions"
"""The fact of a board that names its PCI functions, where it has several: ``0000:04:00.0, 0000:04:00.1``."""


class DeviceType(StrEnum):
    """The kind of a device, in the words of the OpenStack accelerator API."""

    GPU = "GPU"
    FPGA = "FPGA"
    AICHIP = "AICHIP"
    QAT = "QAT"
    NIC = "NIC"
    SSD = "SSD"
    MDEV = "MDEV"
    PCI = "PCI"
    NVME = "NVME"


class Presence(StrEnum):
    """Whether a thing is where it was."""

    PRESENT = "present"
    """The newest word of its driver is that it is there."""
    LOST = "lost"
    """It was there and is not any more, or has fallen off its bus. It is offered to nobody."""


class Health(StrEnum):
    """What is known of a device's fitness. Unknown is not healthy."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one source says of a device's fitness at one moment."""

    source: str
    """Where it is from, once per device: ``nvml.xid``, ``pcie.aer``, ``nvme.smart``: lower case, digits, dots."""
    at: datetime
    """When it was so, with zone."""
    value: Health
    """What it says; what cannot be read is unknown, not healthy."""
    text: str = ""
    """The figures, and what they mean, for people."""
    count: int | None = None
    """How often what it tells of has happened since the host was started: that it grows is what matters, whatever the
    value. None for what is not counted."""


class DeployableKind(StrEnum):
    """What part of a device a deployable is."""

    CARD = "card"
    """The whole device."""
    MIG = "mig"
    """A MIG instance of an NVIDIA GPU."""
    VF_POOL = "vf_pool"
    """The SR-IOV virtual functions of a physical function, one attach handle each."""
    NAMESPACE = "namespace"
    """An NVMe namespace."""
    REGION = "region"
    """A region of an FPGA that can be programmed by itself."""
    PARTITION = "partition"
    """A partition of an AMD GPU."""
    MDEV_TYPE = "mdev_type"
    """The mediated devices of one type that a parent can make."""
    BDEV = "bdev"
    """A block device of an SPDK application."""
    SUBSYSTEM = "subsystem"
    """What an NVMe-oF target offers under one name."""
    VHOST = "vhost"
    """A disk or SCSI controller that a vhost target offers to a virtual machine."""


class HandleType(StrEnum):
    """How a workload is given the thing; PCI, MDEV and TEST_PCI are the names that Nova knows."""

    PCI = "PCI"
    MDEV = "MDEV"
    TEST_PCI = "TEST_PCI"
    MIG = "MIG"
    """A MIG device, by its UUID."""
    DEVICE_NODE = "DEVICE_NODE"
    """A path below /dev: ``path``, and in ``shared`` what every user of such a device opens beside it."""
    NVME_OF = "NVME_OF"
    """An NVMe-oF subsystem: ``nqn``, and where it listens: ``transport``, ``family``, ``address``, ``service``."""
    VHOST_USER = "VHOST_USER"
    """A vhost-user socket for a virtual machine: ``path``, and in ``device`` what is behind it: ``blk``, ``scsi``."""


class LinkKind(StrEnum):
    """A direct connection between two devices, beside PCI."""

    NVLINK = "nvlink"
    XGMI = "xgmi"


_INTERNAL_NQN = "nqn.2026-11.internal.accel"
"""What NVMe qualified names of ours begin with; ``internal`` is the top-level domain that belongs to nobody."""


def host_nqn(key: str) -> str:
    """The NVMe qualified name by which whoever holds an NVMe-oF handle connects; nobody else may.

    :param key: the handle's UUID
    """
    return f"{_INTERNAL_NQN}:host:{key}"


def is_host_nqn(name: str) -> bool:
    """Whether it is such a name, of any handle."""
    return name.startswith(host_nqn(""))


def subsystem_nqn(node: str, name: str) -> str:
    """The NVMe qualified name of a subsystem that is made to hand out one thing of a node."""
    return f"{_INTERNAL_NQN}:{node}:{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A key and a value on a deployable: resource class (``rc``), traits (``traits1`` …), capability figures.

    Figures are decimal integers in base units: the unit stands in the key (``memory_bytes``).
    """

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachHandle:
    """What is handed to a workload. It has one holder at most.

    ``info`` holds strings only, hex without ``0x``; for PCI it is domain, bus, device, function: this is what Nova
    reads. Within a deployable no two handles have the same ``info``.
    """

    type: HandleType
    info: Mapping[str, str]

    @property
    def key(self) -> str:
        """``info`` as one text: compact JSON with sorted keys. Within a deployable it is unique."""
        return json.dumps(dict(self.info), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployable:
    """A part of a device that can be scheduled alone. The deployables of a device form a tree."""

    name: str
    """Unique in the fleet, because OpenStack Placement knows the part by it: starts with the node's name."""
    kind: DeployableKind
    parent: str | None = None
    """The name of the deployable this is a part of; None at the root of the tree."""
    num_accelerators: int
    """How many workloads it can serve as it stands now; 0 for a card that is wholly cut into parts."""
    attributes: tuple[Attribute, ...] = ()
    handles: tuple[AttachHandle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A direct connection from a device to a peer on the same node."""

    peer: str
    """The identity of the device at the other end."""
    kind: LinkKind
    width: int
    """How many physical links are bonded: the number in ``NV12``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One physical card or controller, as its driver sees it."""

    identity: str
    """The most stable id there is, unique on the node: a GPU UUID or ``serial:…``, else ``pci:<address>``."""
    type: DeviceType
    vendor: str
    """PCI vendor id in four hex digits, or what stands for it where there is none."""
    product: str
    """PCI device id in four hex digits, or what stands for it where there is none."""
    model: str
    """The name a person knows it by; the ids where no name is known."""
    address: PciAddress | None = None
    """None for a device that is not on PCI, and for one that cannot say any more where it was."""
    serial: str | None = None
    kernel_driver: str | None = None
    """The kernel driver bound to it; None when there is none."""
    numa_node: int | None = None
    """None when the host does not say. Never -1, never 0 for want of better."""
    pci_path: tuple[str, ...] = ()
    """From the host bridge (``pci0000:20``) down, the bridges above the device, the nearest last."""
    links: tuple[Link, ...] = ()
    presence: Presence = Presence.PRESENT
    health: Health = Health.HEALTHY
    reason: str = ""
    """Why health is not healthy or presence not present, in words; empty otherwise."""
    signals: tuple[Signal, ...] = ()
    """What is known of its fitness, each from one source. ``health`` follows from them; a driver that only looks leaves
    them out."""
    std_board_info: Mapping[str, str] = field(default_factory=dict)
    """Facts every kind of board has: product_id, class, firmware …"""
    vendor_board_info: str = ""
    """Whatever the vendor alone understands."""
    deployables: tuple[Deployable, ...] = ()

    @property
    def is_weakly_identified(self) -> bool:
        """Whether only the slot tells this device from another one: a card swapped for its like looks the same."""
        return self.identity.startswith(WEAK_IDENTITY_PREFIX)

    @property
    def functions(self) -> frozenset[PciAddress]:
        """The PCI functions that are this card: the one at its address, and those that its facts name."""
        named = filter(None, map(PciAddress.read, self.std_board_info.get(FUNCTIONS, "").split(",")))
        return frozenset((*named, *((self.address,) if self.address else ())))


def weak_identity(address: PciAddress) -> str:
    """The identity of a device that has no UUID and no serial number: where it sits."""
    return f"{WEAK_IDENTITY_PREFIX}{address}"


def pci_handle(address: PciAddress) -> AttachHandle:
    """The handle of a PCI function, in the form that Nova reads: hex without ``0x``."""
    info = {
        "domain": f"{address.domain:04x}",
        "bus": f"{address.bus:02x}",
        "device": f"{address.device:02x}",
        "function": f"{address.function:x}",
    }
    return AttachHandle(type=HandleType.PCI, info=info)
