"""How the cards of a node are connected, in a form that sets of them are quickly judged by.

A set of cards is an integer with a bit for each. Nodes whose cards are connected alike share one ``Topology``,
and with it everything that has been worked out about its sets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final

from accel.model.device import Device, DeviceType, Link, LinkKind
from accel.model.topology import relation
from accel.placement.snapshot import Card
from accel.placement.wanted import Nearness

CLOSENESS: Final[Mapping[Nearness, float]] = {
    Nearness.LINKED: 1.0,
    Nearness.SWITCH: 0.75,
    Nearness.NUMA: 0.5,
    Nearness.NODE: 0.25,
}
"""How well two cards of a node are connected, from 0 to 1: the nearest that is true of them counts."""

_MOST_REMEMBERED = 1 << 14
_PAIRWISE = (Nearness.LINKED, Nearness.SWITCH, Nearness.NUMA)
_Connections = tuple[tuple[bool, ...], ...]
"""Of two cards, by ``_PAIRWISE``; one such row for each two cards, in the order of ``combinations``."""


def bits(cards: int) -> Iterator[int]:
    """The members of a set, in their order."""
    while cards:
        low = cards & -cards
        yield low.bit_length() - 1
        cards ^= low


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Topology:
    """The connections between the cards of a node."""

    size: int
    """How many cards there are."""
    neighbours: Mapping[Nearness, tuple[int, ...]]
    """For each card the set of those that are near to it, with itself; by ``LINKED``, ``SWITCH`` and ``NUMA``."""
    twins: tuple[int, ...]
    """For each card the first that can change places with it: no connection is another one then."""
    memory: dict[object, Any] = field(default_factory=dict, repr=False)
    """What follows from the topology and the keys alone."""
    _cliques: dict[tuple[Nearness, int], tuple[int, ...]] = field(default_factory=dict, repr=False)

    @property
    def all(self) -> int:
        """All cards."""
        return (1 << self.size) - 1

    def cliques(self, near: Nearness, cards: int) -> tuple[int, ...]:
        """The largest sets within a set whose members are all near to one another: none is part of another one."""
        if near is Nearness.NODE:
            return (cards,) if cards else ()
        if near is Nearness.DEVICE:
            return tuple(1 << card for card in bits(cards))
        found = self._cliques.get((near, cards))
        if found is None:
            if len(self._cliques) >= _MOST_REMEMBERED:
                self._cliques.clear()
            found = self._cliques[near, cards] = tuple(sorted(_cliques(self.neighbours[near], 0, cards, 0)))
        return found

    def largest(self, near: Nearness, cards: int) -> int:
        """How many of a set are near to one another at most."""
        return max((clique.bit_count() for clique in self.cliques(near, cards)), default=0)

    def is_known(self, near: Nearness) -> bool:
        """Whether any two cards are near in this way."""
        return near not in self.neighbours or any(cards & (cards - 1) for cards in self.neighbours[near])

    def most(self, near: Nearness, amounts: Mapping[int, int]) -> int:
        """How much of what some cards have is near to one another at most.

        :param amounts: how much there is, by card
        """
        if near is Nearness.NODE or not amounts:
            return sum(amounts.values())
        cliques = self.cliques(near, sum(1 << card for card in amounts))
        return max(sum(amount for card, amount in amounts.items() if clique >> card & 1) for clique in cliques)

    def closeness(self, cards: int) -> float:
        """How well a set is connected, from 0 to 1: the mean over its pairs. One card is as close as can be."""
        found: float | None = self.memory.get(cards)
        if found is None:
            pairs = [self.pair(a, b) for a, b in combinations(bits(cards), 2)]
            found = sum(pairs) / len(pairs) if pairs else 1.0
            self.remember(cards, found)
        return found

    def remember(self, key: object, finding: object) -> None:
        """Keep something in ``memory``, which does not grow without end."""
        if len(self.memory) >= _MOST_REMEMBERED:
            self.memory.clear()
        self.memory[key] = finding

    def pair(self, a: int, b: int) -> float:
        """How well two cards are connected, from 0 to 1."""
        near = next((near for near in _PAIRWISE if self.neighbours[near][a] >> b & 1), Nearness.NODE)
        return CLOSENESS[near]


class Topologies:
    """One ``Topology`` for all nodes whose cards are connected in the same way."""

    def __init__(self) -> None:
        self._by_place: dict[object, Topology] = {}
        self._by_connections: dict[tuple[int, _Connections], Topology] = {}

    def of(self, cards: Sequence[Card]) -> Topology:
        """That of the cards of one node."""
        position = {card.uuid: number for number, card in enumerate(cards)}
        place = tuple(
            (
                card.numa_node,
                card.pci_path,
                card.address,
                tuple(sorted(position[peer] for peer in card.links if peer in position)) if card.links else (),
            )
            for card in cards
        )
        found = self._by_place.get(place)
        if found is None:
            if len(self._by_place) >= _MOST_REMEMBERED:
                self._by_place.clear()
            connections = _connections(cards)
            key = (len(cards), connections)
            found = self._by_place[place] = self._by_connections.setdefault(key, _topology(*key))
        return found


def _connections(cards: Sequence[Card]) -> _Connections:
    devices = [_device(card) for card in cards]
    unlinked = [replace(device, links=()) for device in devices]
    return tuple(
        (
            relation(devices[a], devices[b])[:2] in ("NV", "XG"),
            relation(unlinked[a], unlinked[b]) == "PIX",
            cards[a].numa_node is not None and cards[a].numa_node == cards[b].numa_node,
        )
        for a, b in combinations(range(len(cards)), 2)
    )


def _device(card: Card) -> Device:
    """The card as the model's rules of topology look at it."""
    return Device(
        identity=card.uuid,
        type=DeviceType.PCI,
        vendor="",
        product="",
        model="",
        address=card.address,
        numa_node=card.numa_node,
        pci_path=card.pci_path,
        links=tuple(Link(peer=peer, kind=LinkKind.NVLINK, width=width) for peer, width in card.links.items()),
    )


def _topology(size: int, connections: _Connections) -> Topology:
    neighbours = {near: [1 << card for card in range(size)] for near in _PAIRWISE}
    for (a, b), row in zip(combinations(range(size), 2), connections, strict=True):
        for near, is_near in zip(_PAIRWISE, row, strict=True):
            if is_near:
                neighbours[near][a] |= 1 << b
                neighbours[near][b] |= 1 << a
    tables = {near: tuple(masks) for near, masks in neighbours.items()}
    twins = tuple(next(a for a in range(b + 1) if _are_twins(tables, a, b)) for b in range(size))
    return Topology(size, tables, twins)


def _are_twins(neighbours: Mapping[Nearness, tuple[int, ...]], a: int, b: int) -> bool:
    both = ~(1 << a | 1 << b)
    return all(masks[a] & both == masks[b] & both for masks in neighbours.values())


def _cliques(neighbours: Sequence[int], chosen: int, possible: int, excluded: int) -> Iterator[int]:
    """Bron and Kerbosch's way to all maximal cliques, with a pivot."""
    if not possible:
        if chosen and not excluded:
            yield chosen
        return
    pivot = max(bits(possible | excluded), key=lambda card: (possible & neighbours[card]).bit_count())
    for card in bits(possible & ~(neighbours[pivot] & ~(1 << pivot))):
        near = neighbours[card] & ~(1 << card)
        yield from _cliques(neighbours, chosen | 1 << card, possible & near, excluded & near)
        possible &= ~(1 << card)
        excluded |= 1 << card
