"""Where the cards of a node sit: PCI addresses, the bridges above them, NUMA nodes, direct links.

A plausible server: each PCIe switch hangs on a host bridge of its own and carries a few cards; several switches may
share a host bridge through a switch above them. So ``topology`` tells PIX below one switch, PXB between switches of a
host bridge, NODE between host bridges of a NUMA node, SYS between NUMA nodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice, repeat

from accel.drivers.fleet.catalogue import CardModel
from accel.drivers.fleet.schema import CardGroup, Links
from accel.model.address import PciAddress

_BUSES_PER_DOMAIN = 256
_FIRST_BUS = 0x10
"""The buses below belong to the chipset."""
_BUS_ALIGNMENT = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one card sits."""

    number: int
    """The card's number on its node, from 0."""
    model: CardModel
    address: PciAddress
    pci_path: tuple[str, ...]
    numa_node: int | None
    peers: tuple[int, ...]
    """The numbers of the cards that it is directly connected with."""
    mig: tuple[str, ...]
    vfs: int


@dataclass(frozen=True, slots=True)
class _Socket:
    address: PciAddress
    pci_path: tuple[str, ...]


@dataclass(slots=True)
class _Buses:
    """Hands out bus numbers, a block to each host bridge."""

    next_bus: int = field(default=_FIRST_BUS)

    def block(self, size: int) -> Iterator[tuple[int, int]]:
        """Domain and bus of each bus of a host bridge. A block never crosses a domain."""
        if self.next_bus % _BUSES_PER_DOMAIN + size > _BUSES_PER_DOMAIN:
            self.next_bus = -(-self.next_bus // _BUSES_PER_DOMAIN) * _BUSES_PER_DOMAIN
        first = self.next_bus
        self.next_bus = -(-(first + size) // _BUS_ALIGNMENT) * _BUS_ALIGNMENT
        return (divmod(bus, _BUSES_PER_DOMAIN) for bus in range(first, first + size))


def places(groups: Sequence[CardGroup]) -> tuple[Place, ...]:
    """Where each card of a node with these groups sits, by its number."""
    buses = _Buses()
    found: list[Place] = []
    for group in groups:
        found.extend(_group_places(group, len(found), buses))
    return tuple(found)


def _group_places(group: CardGroup, first: int, buses: _Buses) -> Iterator[Place]:
    numbers = iter(range(first, first + group.count))
    for numa_node, share in zip(group.numa_nodes, _shares(group.count, len(group.numa_nodes)), strict=True):
        for number, socket in zip(islice(numbers, share), _sockets(group, share, buses), strict=True):
            yield Place(
                number=number,
                model=group.model,
                address=socket.address,
                pci_path=socket.pci_path,
                numa_node=numa_node,
                peers=_peers(group, first, number),
                mig=group.mig,
                vfs=group.vfs,
            )


def _shares(total: int, parts: int) -> list[int]:
    """``total`` in nearly equal parts, the larger ones first."""
    return [total // parts + (index < total % parts) for index in range(parts)]


def _peers(group: CardGroup, first: int, number: int) -> tuple[int, ...]:
    if group.links is Links.ALL:
        return tuple(peer for peer in range(first, first + group.count) if peer != number)
    if group.links is Links.PAIRS:
        peer = first + ((number - first) ^ 1)
        return (peer,) if peer < first + group.count else ()
    return ()


def _sockets(group: CardGroup, total: int, buses: _Buses) -> Iterator[_Socket]:
    """A socket for each of the cards below the host bridges of one NUMA node."""
    per_switch = group.cards_per_switch
    per_bridge = max(per_switch, 1) * group.switches_per_bridge
    for begin in range(0, total, per_bridge):
        on_bridge = min(per_bridge, total - begin)
        if per_switch == 0:
            yield from _on_root_ports(on_bridge, buses)
        else:
            yield from _on_switches([min(per_switch, on_bridge - at) for at in range(0, on_bridge, per_switch)], buses)


def _on_root_ports(total: int, buses: _Buses) -> Iterator[_Socket]:
    block = buses.block(1 + total)
    domain, root_bus = next(block)
    for port, (_, bus) in enumerate(block):
        path = (_host_bridge(domain, root_bus), _bridge(domain, root_bus, port))
        yield _Socket(PciAddress(domain, bus, 0, 0), path)


def _on_switches(cards: Sequence[int], buses: _Buses) -> Iterator[_Socket]:
    """Sockets below the switches of one host bridge.

    :param cards: how many cards each switch carries
    """
    is_cascaded = len(cards) > 1
    block = buses.block(1 + 2 * is_cascaded + sum(2 + below for below in cards))
    domain, root_bus = next(block)
    above = (_host_bridge(domain, root_bus), _bridge(domain, root_bus, 1))
    ports = (above + port for port in _ports(domain, block)) if is_cascaded else repeat(above)
    for below, path in zip(cards, ports, strict=False):
        for port in islice(_ports(domain, block), below):
            _, bus = next(block)
            yield _Socket(PciAddress(domain, bus, 0, 0), path + port)


def _ports(domain: int, block: Iterator[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    """The ports of one switch, each as the bridges that lie above what is plugged in: upstream, downstream."""
    (_, upstream_bus), (_, internal_bus) = next(block), next(block)
    for port in count():
        yield _bridge(domain, upstream_bus, 0), _bridge(domain, internal_bus, port)


def _host_bridge(domain: int, bus: int) -> str:
    return f"pci{domain:04x}:{bus:02x}"


def _bridge(domain: int, bus: int, device: int) -> str:
    return str(PciAddress(domain, bus, device, 0))
