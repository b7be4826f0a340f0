"""The ``amd_gpu`` driver: every AMD GPU of a host as a device, once.

The kernel shows a GPU three times: as a PCI function, as a display, and in the list of its compute driver (KFD), which
alone knows of partitions and of the links between GPUs. Where the PCI bus is not to be seen, as in a container, the
list must do.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.amd_gpu import examination, partitioning, smi
from accel.drivers.amd_gpu.kfd import Node, gpu_nodes
from accel.drivers.base import Host
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci_card import (
    NODES,
    Knowledge,
    card,
    card_name,
    cards,
    console_use,
    device_nodes,
    is_of,
    memory_figures,
)
from accel.drivers.pci_kinds import Kind, kind_of
from accel.drivers.pci_names import pci_names
from accel.drivers.sysfs import PciFunction, pci_function, pci_functions, read_text
from accel.errors import DeviceGone, DriverUnavailable
from accel.model.address import PciAddress
from accel.model.attribute import custom_trait, resource_class, traits
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
)
from accel.model.health import Signal
from accel.model.partition_facts import facts as partition_facts

_VENDOR = "1002"
_GPU = Kind(DeviceType.GPU)
_COMPUTE_NODE = "/dev/kfd"
_UNIQUE_ID = re.compile(r"[0-9a-f]{1,16}")

_FACTS: Mapping[str, str] = {
    "compute_partition": "current_compute_partition",
    "memory_partition": "current_memory_partition",
    "compute_partitions": "available_compute_partition",
    "vbios": "vbios_version",
    "board_serial": "serial_number",
}
"""Facts of the board and the attributes that say them."""


class AmdGpuDriver(PciActs):
    """Reports the AMD GPUs of a host."""

    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        del options  # there are none
        self._host = host

    def discover(self) -> tuple[Device, ...]:
        """The GPUs, by address."""
        nodes = gpu_nodes(self._host)
        if not pci_functions(self._host):
            return tuple(_linked(_listed(self._host, nodes)))
        return tuple(_linked(_driven(self._host, nodes)))

    def examine(self, device: Device) -> Iterator[Signal]:
        """Errors that were caught, and memory that is lost."""
        function = pci_function(self._host, device.address) if device.address else None
        if function is None:
            return
        counts = None
        if self._host.is_real and not (function.path / "ras").is_dir():
            with suppress(DriverUnavailable):
                counts = smi.error_counts(function.address)
        yield from examination.examine(function, counts, datetime.now(UTC))

    def partition(self, device: Device, layout: Mapping[str, int], progress: Progress) -> None:
        """Switch the compute partitions of a card; an empty layout makes it whole.

        :raises ActNotSupported: it has none
        :raises LayoutImpossible: it cannot have these parts
        :raises DeviceInUse: a process computes on it
        """
        function = pci_function(self._host, device.address) if device.address else None
        if function is None:
            raise DeviceGone(f"{device.identity} is not on the PCI bus")
        before = partitioning.cut_of(function, _nodes_of(function, gpu_nodes(self._host)))
        partitioning.cut(self._host, function, before, layout, progress)


_Seen = tuple[Device, Sequence[Node]]
"""A GPU and its nodes in KFD's list."""


def _driven(host: Host, nodes: Sequence[Node]) -> Iterator[_Seen]:
    """The GPUs on PCI."""
    mine: dict[PciAddress, Sequence[Node]] = {}

    def known(function: PciFunction) -> Knowledge:
        mine[function.address] = _nodes_of(function, nodes)
        return _knowledge(host, function, mine[function.address])

    for device in cards(host, is_of(DeviceType.GPU, {_VENDOR}), known):
        yield device, mine[device.address] if device.address else ()


def _nodes_of(function: PciFunction, nodes: Sequence[Node]) -> Sequence[Node]:
    """The nodes of one card: those in its slot that have the unique id of the first."""
    there = [node for node in nodes if node.address.slot == function.address.slot]
    serial = _unique_id(function) or (there[0].serial if there else "")
    return [node for node in there if node.serial in ("", serial)]


def _unique_id(function: PciFunction) -> str:
    text = read_text(function.path / "unique_id").lower().removeprefix("0x")
    return text.zfill(16) if _UNIQUE_ID.fullmatch(text) and text.strip("0") else ""


def _knowledge(host: Host, function: PciFunction, nodes: Sequence[Node]) -> Knowledge:
    facts = {fact: read_text(function.path / attribute) for fact, attribute in _FACTS.items()}
    cut = partitioning.cut_of(function, nodes)
    parts = tuple(_partitions(card_name(host, function), function, nodes)) if len(nodes) > 1 else ()
    return Knowledge(
        model=read_text(function.path / "product_name"),
        serial=_unique_id(function) or (nodes[0].serial if nodes else ""),
        facts={
            **facts,
            **(partition_facts(cut) if cut else {}),
            NODES: ", ".join(filter(None, (device_nodes(function, "drm"), _COMPUTE_NODE if nodes else ""))),
        },
        traits=tuple(dict.fromkeys(custom_trait("GPU AMD", n.instruction_set) for n in nodes if n.instruction_set)),
        figures=memory_figures(function),
        parts=parts,
        host_uses=console_use(function),
        is_cut=bool(parts),
    )


def _partitions(whole: str, function: PciFunction, nodes: Sequence[Node]) -> Iterator[Deployable]:
    """The partitions of a card. Each has a node of its own below ``/dev/dri``, and that is how it is handed out."""
    mode = read_text(function.path / "current_compute_partition") or str(len(nodes))
    kind = custom_trait("GPU AMD PARTITION", mode)
    for node in nodes:
        path = {"path": f"/dev/dri/renderD{node.render_minor}", "shared": _COMPUTE_NODE}
        handles = (AttachHandle(type=HandleType.DEVICE_NODE, info=path),) if node.render_minor else ()
        yield Deployable(
            name=f"{whole}_partition{node.address.function}",
            kind=DeployableKind.PARTITION,
            parent=whole,
            num_accelerators=len(handles),
            attributes=(
                resource_class(kind),
                *traits((custom_trait("GPU AMD"), custom_trait("GPU product id", function.product), kind)),
            ),
            handles=handles,
        )


def _linked(seen: Iterator[_Seen]) -> Iterator[Device]:
    """The GPUs with the direct links between them."""
    found = list(seen)
    owner = {node.number: device.identity for device, nodes in found for node in nodes}
    for device, nodes in found:
        yield replace(device, links=tuple(_links(device, nodes, owner)))


def _links(device: Device, nodes: Sequence[Node], owner: Mapping[int, str]) -> Iterator[Link]:
    widths = {owner[to.peer]: to.width for node in nodes for to in node.connections if to.peer in owner}
    for peer, width in sorted(widths.items()):
        if peer != device.identity:
            yield Link(peer=peer, kind=LinkKind.XGMI, width=width)


def _listed(host: Host, nodes: Sequence[Node]) -> Iterator[_Seen]:
    """The GPUs of which only KFD tells; of those without a unique id, one at each address."""
    names = pci_names(host, [(node.vendor, node.product) for node in nodes])
    gpus: dict[str, list[Node]] = {}
    for node in nodes:
        gpus.setdefault(node.serial or str(node.address.slot), []).append(node)
    taken: set[PciAddress] = set()
    for members in gpus.values():
        address, serial = replace(members[0].address, function=0), members[0].serial
        function = _function(host, members[0], address)
        known = replace(_knowledge(host, function, members), serial=serial)
        device = card(host, function, kind=kind_of(function) or _GPU, known=known, name=names.get(function.ids, ""))
        yield (_nowhere(host, device, serial) if address in taken else device), members
        taken.add(address)


def _function(host: Host, node: Node, address: PciAddress) -> PciFunction:
    path = host.sysfs / "bus/pci/devices" / str(address)
    return PciFunction(address=address, path=path, vendor=node.vendor, product=node.product, class_code=None)


def _nowhere(host: Host, device: Device, serial: str) -> Device:
    """A GPU at an address that is another one's: it is known and not handed out."""
    whole = replace(device.deployables[0], name=f"{host.name}_{serial}", num_accelerators=0, handles=())
    reason = (
        f"KFD names a second GPU at the same PCI address {device.address}: it is not known how to hand this one out"
    )
    return replace(device, address=None, health=Health.UNKNOWN, reason=reason, deployables=(whole,))
