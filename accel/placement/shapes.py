"""What nodes can be equal in: a fleet has many nodes and few shapes, and a question is answered once for each shape.

Two nodes have one shape when nothing that placement looks at tells them apart: their cards in order, how these are
connected, what parts they have with how many handles free and held, what speaks against them. Names, UUIDs, labels and
racks are no part of it. All full nodes of a kind are of one shape, which offers nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from accel.placement.snapshot import Card, Host, Obstacle, Unit
from accel.placement.topology import Topologies, Topology

_MOST_SPECS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Spec:
    """What a unit is, whatever its state: it alone decides whether a unit is of the kind that a group wants."""

    type: str
    vendor: str
    model: str
    kind: str
    resource_class: str
    traits: frozenset[str]
    facts: Mapping[str, str]
    """What comparisons look at: figures, ``type``, ``vendor``, ``model``, ``kind``."""


class Slot(NamedTuple):
    """A unit of a shape."""

    card: int
    """The number of its card on the node."""
    unit: int
    """Its number on the card."""
    spec: Spec
    free: int
    """How many handles can be taken, were there no obstacle."""
    held: int
    obstacle: str
    """What speaks against the unit or its card."""

    @property
    def is_open(self) -> bool:
        """Whether something of it can be taken."""
        return self.free > 0 and not self.obstacle


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, weakref_slot=True)
class Shape:
    """What all nodes of one shape have in common. Two shapes are equal only if they are one."""

    is_online: bool
    topology: Topology
    slots: tuple[Slot, ...]
    """All units, by card."""
    open: tuple[int, ...]
    """The numbers of the slots of which something can be taken."""
    offer: Mapping[Spec, int]
    """How much of each kind can be taken; nothing of a node that is not online."""
    usable: int
    """The cards that nothing speaks against, as a set."""
    busy: int
    """The cards that somebody has something of."""
    idle: int
    """The usable cards that nobody has anything of."""
    ready: int
    """The cards of which something can be taken."""
    kinds: tuple[int, ...]
    """The cards of each type and model, as sets."""
    twins: tuple[int, ...]
    """For each card the first that can change places with it: the node is of the same shape then."""
    answers: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What has been found out about the shape, by question."""


class Shapes:
    """Makes one ``Shape`` of all nodes that are equal, for as long as somebody has it."""

    def __init__(self) -> None:
        self._topologies = Topologies()
        self._specs: dict[object, Spec] = {}
        self._shapes: WeakValueDictionary[object, Shape] = WeakValueDictionary()

    def of(self, host: Host) -> Shape:
        """That of a node."""
        topology = self._topologies.of(host.cards)
        slots = tuple(self._slots(host))
        cards = tuple((card.type, card.model, card.obstacle) for card in host.cards)
        key = (host.is_online, topology, slots, cards)
        found = self._shapes.get(key)
        if found is None:
            found = self._shapes[key] = _shape(host, topology, slots)
        return found

    def _slots(self, host: Host) -> Iterator[Slot]:
        for number, card in enumerate(host.cards):
            for place, unit in enumerate(card.units):
                obstacle = card.obstacle or unit.obstacle
                yield Slot(number, place, self._spec(card, unit), len(unit.free), unit.held, obstacle)

    def _spec(self, card: Card, unit: Unit) -> Spec:
        figures = frozenset(unit.figures.items())
        key = (card.type, card.vendor, card.model, unit.kind, unit.resource_class, unit.traits, figures)
        found = self._specs.get(key)
        if found is None:
            if len(self._specs) >= _MOST_SPECS:
                self._specs.clear()
            found = self._specs[key] = _spec(card, unit)
        return found


def _spec(card: Card, unit: Unit) -> Spec:
    own = {"type": card.type, "vendor": card.vendor, "model": card.model, "kind": unit.kind}
    return Spec(
        type=card.type,
        vendor=card.vendor,
        model=card.model,
        kind=unit.kind,
        resource_class=unit.resource_class,
        traits=unit.traits,
        facts={**unit.figures, **own},
    )


def _shape(host: Host, topology: Topology, slots: tuple[Slot, ...]) -> Shape:
    offer: dict[Spec, int] = {}
    usable = sum(1 << number for number, card in enumerate(host.cards) if card.obstacle == Obstacle.NONE)
    busy = ready = 0
    for slot in slots:
        if slot.is_open and host.is_online:
            offer[slot.spec] = offer.get(slot.spec, 0) + slot.free
            ready |= 1 << slot.card
        if slot.held:
            busy |= 1 << slot.card
    return Shape(
        is_online=host.is_online,
        topology=topology,
        slots=slots,
        open=tuple(number for number, slot in enumerate(slots) if slot.is_open and host.is_online),
        offer=offer,
        usable=usable,
        busy=busy,
        idle=usable & ~busy,
        ready=ready,
        kinds=_kinds(host),
        twins=_twins(topology, slots),
    )


def _kinds(host: Host) -> tuple[int, ...]:
    kinds: dict[tuple[str, str], int] = {}
    for number, card in enumerate(host.cards):
        kinds[card.type, card.model] = kinds.get((card.type, card.model), 0) | 1 << number
    return tuple(kinds.values())


def _twins(topology: Topology, slots: tuple[Slot, ...]) -> tuple[int, ...]:
    """Cards that are connected alike and have the same units in the same state."""
    content: dict[int, list[tuple[object, ...]]] = {card: [] for card in range(topology.size)}
    for slot in slots:
        content[slot.card].append(slot[1:])
    first: dict[tuple[int, tuple[tuple[object, ...], ...]], int] = {}
    return tuple(first.setdefault((topology.twins[card], tuple(units)), card) for card, units in content.items())
