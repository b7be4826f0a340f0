"""What the agent says about the host itself."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import names_in, read_text
from accel.model.report import NodeInfo, NumaNode

_NODE = re.compile(r"node(\d+)")
_MEMORY = re.compile(r"MemTotal:\s*(\d+) kB")


def node_info(host: Host, *, agent_version: str, rack: str, labels: Mapping[str, str]) -> NodeInfo:
    """The host as it is now; what cannot be read is left out."""
    return NodeInfo(
        name=host.name,
        agent_version=agent_version,
        kernel=read_text(host.proc / "sys/kernel/osrelease"),
        rack=rack,
        labels=dict(labels),
        numa=tuple(sorted(_numa(host), key=lambda node: node.id)),
    )


def boot_id(host: Host) -> str:
    """The kernel's id of this boot; the id of the machine we run on where the host's tree has none."""
    for proc in (host.proc, Path("/proc")):
        found = read_text(proc / "sys/kernel/random/boot_id")
        if found:
            return found
    return "unknown"


def _numa(host: Host) -> Iterator[NumaNode]:
    """Ids may have gaps, and nodes of memory alone have no processors."""
    folder = host.sysfs / "devices/system/node"
    for name in names_in(folder):
        match = _NODE.fullmatch(name)
        if match:
            cpus = read_text(folder / name / "cpulist")
            yield NumaNode(id=int(match[1]), cpus=cpus, memory_bytes=_memory_bytes(folder / name))


def _memory_bytes(node: Path) -> int | None:
    match = _MEMORY.search(read_text(node / "meminfo"))
    return int(match[1]) * 1024 if match else None
