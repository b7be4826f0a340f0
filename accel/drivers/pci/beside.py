"""What hosts tell of some kinds of accelerators beside PCI: nodes below ``/dev``, and who has the queues of a function.

Facts are from "sysfs-driver-dma-idxd" of the kernel's documentation, for Intel's accelerators for data (DSA) and for
analytics (IAX): their functions have work queues, each of which the operator gives to the kernel or to programs.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.pci_card import NODES
from accel.drivers.sysfs import PciFunction, names_in, read_text

_WITH_QUEUES = frozenset({("8086", "0b25"), ("8086", "0cfe")})
_ENGINE = re.compile(r"(dsa|iax)\d+")
_QUEUE = re.compile(r"wq\d+\.\d+")
_OF_KERNEL, _ENABLED = "kernel", "enabled"

_NODES: Mapping[str, re.Pattern[str]] = {"1d0f": re.compile(r"neuron\d+"), "1bcf": re.compile(r"veslot\d+")}
"""What the nodes are called, by maker: Inferentia and Trainium, Vector Engines."""


def facts(host: Host, function: PciFunction) -> Mapping[str, str]:
    """Facts of the board; those without a value are not known."""
    return {
        NODES: _node(host, function),
        "work_queues": ", ".join(f"{queue.name} {_told(queue)}" for queue in _queues(function)),
    }


def host_uses(function: PciFunction) -> tuple[str, ...]:
    """The work queues that the kernel itself works with."""
    return tuple(
        f"work queue {queue.name}"
        for queue in _queues(function)
        if (read_text(queue / "type"), read_text(queue / "state")) == (_OF_KERNEL, _ENABLED)
    )


def _queues(function: PciFunction) -> Iterator[Path]:
    if function.ids not in _WITH_QUEUES:
        return
    for engine in filter(_ENGINE.fullmatch, names_in(function.path)):
        for name in filter(_QUEUE.fullmatch, names_in(function.path / engine)):
            yield function.path / engine / name


def _told(queue: Path) -> str:
    """Of a queue that nobody has, the type is ``none``."""
    return f"{read_text(queue / 'type') or 'unknown'} {read_text(queue / 'state') or 'unknown'}"


def _node(host: Host, function: PciFunction) -> str:
    """The node of a card, where there is one only: among several, files do not tell which node is whose."""
    pattern = _NODES.get(function.vendor)
    if pattern is None or function.kernel_driver is None:
        return ""
    there = [name for name in names_in(host.dev) if pattern.fullmatch(name)]
    return f"/dev/{there[0]}" if len(there) == 1 else ""
