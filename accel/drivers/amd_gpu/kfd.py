"""What the kernel's compute driver for AMD GPUs (KFD) lists: nodes, and how they are connected.

A node is a processor, a GPU, or one of the partitions of a GPU. Partitions share the GPU's unique id, and have the
number of the partition where the address has the number of the function.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import names_in, read_text
from accel.model.address import PciAddress

_XGMI = 11
"""The type of a link over AMD's own interconnect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A direct connection over XGMI to another node."""

    peer: int
    width: int
    """How many physical links are bonded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One GPU, or one partition of one."""

    number: int
    address: PciAddress
    """In the function's place: the partition."""
    vendor: str
    product: str
    serial: str
    """The unique id of its GPU in 16 hex digits, as the kernel writes it; empty for a GPU that has none."""
    render_minor: int
    """Its node is ``/dev/dri/renderD<minor>``; 0 when it has none."""
    instruction_set: str
    """``gfx90a``; empty when KFD does not say."""
    connections: tuple[Connection, ...]
    dies: int = 0
    """How many compute dies (XCC) it has; 0 where KFD does not say."""


def gpu_nodes(host: Host) -> list[Node]:
    """The GPUs and partitions that KFD lists, by address and unique id, of each pair of these the first."""
    nodes = host.sysfs / "class/kfd/kfd/topology/nodes"
    found = [node for name in names_in(nodes) if name.isdecimal() for node in _gpu(nodes / name)]
    ordered = sorted(found, key=lambda node: (node.address, node.serial, node.number), reverse=True)
    return list({(node.address, node.serial): node for node in ordered}.values())[::-1]


def _gpu(directory: Path) -> Iterator[Node]:
    said = _properties(directory)
    if said.get("simd_count", 0) > 0:
        unique_id = said.get("unique_id", 0)
        yield Node(
            number=int(directory.name),
            address=_address(said),
            vendor=f"{said.get('vendor_id', 0):04x}",
            product=f"{said.get('device_id', 0):04x}",
            serial=f"{unique_id:016x}" if unique_id else "",
            render_minor=max(said.get("drm_render_minor", 0), 0),
            instruction_set=_instruction_set(said.get("gfx_target_version", 0)),
            connections=tuple(_connections(directory / "io_links")),
            dies=said.get("num_xcc", 0),
        )


def _properties(directory: Path) -> Mapping[str, int]:
    pairs = (line.split() for line in read_text(directory / "properties").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _address(said: Mapping[str, int]) -> PciAddress:
    """``location_id`` has the bus in its upper byte, then five bits of device and three of function."""
    location = said.get("location_id", 0)
    return PciAddress(
        domain=said.get("domain", 0), bus=location >> 8 & 0xFF, device=location >> 3 & 0x1F, function=location & 0x7
    )


def _instruction_set(version: int) -> str:
    """``90010`` is version 9.0.10, which is called gfx90a."""
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}" if version else ""


def _connections(directory: Path) -> Iterator[Connection]:
    for said in (_properties(directory / name) for name in names_in(directory)):
        if said.get("type") == _XGMI and "node_to" in said:
            single, bonded = said.get("min_bandwidth", 0), said.get("max_bandwidth", 0)
            yield Connection(peer=said["node_to"], width=max(bonded // single if single else 1, 1))
