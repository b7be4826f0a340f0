"""How near two devices of one node are, in the words of ``nvidia-smi topo -m``.

Four things tell it, the first that knows wins: a direct link (NVLink, XGMI), the PCI bridges that both hang on, the
slot that both are functions of, the NUMA nodes. What none of them tells is ``?``: a guess would be taken for a
measurement by whoever places work by it.
"""

from collections.abc import Mapping, Sequence

from accel.model.device import Device, LinkKind

LEGEND: Mapping[str, str] = {
    "X": "the device itself",
    "NV#": "a bonded set of # NVLinks",
    "XG#": "a bonded set of # XGMI links",
    "PIX": "at most one PCIe switch",
    "PXB": "several PCIe bridges, without a host bridge",
    "PHB": "the PCIe host bridge that both hang on (typically the processor)",
    "NODE": "the interconnect between host bridges within one NUMA node, or one NUMA node and no more known",
    "SYS": "the interconnect between NUMA nodes",
    "?": "not known: the host does not say where the devices sit",
}
"""What each word of a matrix stands for; ``#`` stands for a number."""

_LINK_WORDS = {LinkKind.NVLINK: "NV", LinkKind.XGMI: "XG"}
_HOST_BRIDGE_PREFIX = "pci"


def relation(a: Device, b: Device) -> str:
    """The nearest connection between two devices of one node: a key of ``LEGEND``, with a number in place of ``#``."""
    if a.identity == b.identity:
        return "X"
    return _direct(a, b) or _over_pci(a, b) or _over_numa(a, b)


def matrix(devices: Sequence[Device]) -> tuple[tuple[str, ...], ...]:
    """``relation`` of each device (row) to each (column), in the order given. Symmetric."""
    rows = [["X"] * len(devices) for _ in devices]
    for i, a in enumerate(devices):
        for j in range(i + 1, len(devices)):
            rows[i][j] = rows[j][i] = relation(a, devices[j])
    return tuple(map(tuple, rows))


def _direct(a: Device, b: Device) -> str:
    """The direct link; seen from one end is enough, because the other end may be lost or keep silent."""
    for kind, word in _LINK_WORDS.items():
        width = max(_width(a, b, kind), _width(b, a, kind))
        if width:
            return f"{word}{width}"
    return ""


def _width(a: Device, b: Device, kind: LinkKind) -> int:
    return sum(link.width for link in a.links if link.peer == b.identity and link.kind is kind)


def _over_pci(a: Device, b: Device) -> str:
    if _same_slot(a, b):
        return "PIX"
    shared = _shared_length(a.pci_path, b.pci_path)
    if shared == 0:
        return ""
    if a.pci_path[shared - 1].startswith(_HOST_BRIDGE_PREFIX):
        return "PHB"
    # Below the last shared bridge, the upstream port of a switch, each device of the same switch has one more bridge:
    # its own downstream port.
    return "PIX" if max(len(a.pci_path), len(b.pci_path)) <= shared + 1 else "PXB"


def _same_slot(a: Device, b: Device) -> bool:
    if a.address is None or b.address is None:
        return False
    return (a.address.domain, a.address.bus, a.address.device) == (b.address.domain, b.address.bus, b.address.device)


def _shared_length(a: Sequence[str], b: Sequence[str]) -> int:
    for length, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return length
    return min(len(a), len(b))


def _over_numa(a: Device, b: Device) -> str:
    if a.numa_node is None or b.numa_node is None:
        return "?"
    return "NODE" if a.numa_node == b.numa_node else "SYS"
