"""What there is of each kind, how much of it is free, and the most that one request can have now."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from accel.placement.fleet import Fleet
from accel.placement.shapes import Shape, Slot, Spec
from accel.placement.wanted import Nearness


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What is counted together: what one request can have any of."""

    type: str
    vendor: str
    model: str
    resource_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How much there is of a kind, in accelerators: in things that one workload has."""

    kind: Kind
    total: int
    free: int
    """Those that can be taken now."""
    held: int
    unusable: int
    """Those that nobody holds and nobody can have: lost, disabled, not healthy, or on a node that is not online."""
    on_one_node: int
    """The most that there is on one node, free or not."""
    largest: Mapping[Nearness, int]
    """The largest request that fits now, by how near its accelerators are to be."""


def stock(fleet: Fleet, *, model: str = "") -> list[Stock]:
    """What there is, in the order of the kinds.

    :param model: with this in the names of their models, in capitals or not
    """
    counts: dict[Kind, _Count] = {}
    for shape, members in fleet.shapes.items():
        for kind, slots in _by_kind(shape, model.casefold()).items():
            counts.setdefault(kind, _Count()).add(shape, slots, len(members))
    return [count.stock(kind) for kind, count in sorted(counts.items())]


@dataclass(slots=True)
class _Count:
    total: int = 0
    free: int = 0
    held: int = 0
    on_one_node: int = 0
    largest: dict[Nearness, int] = field(default_factory=lambda: dict.fromkeys(Nearness, 0))

    def add(self, shape: Shape, slots: list[Slot], nodes: int) -> None:
        """Count what some nodes of a shape have."""
        there = sum(slot.free + slot.held for slot in slots)
        takeable: dict[int, int] = {}
        for slot in slots:
            if slot.is_open and shape.is_online:
                takeable[slot.card] = takeable.get(slot.card, 0) + slot.free
        self.total += there * nodes
        self.held += sum(slot.held for slot in slots) * nodes
        self.free += sum(takeable.values()) * nodes
        self.on_one_node = max(self.on_one_node, there)
        for near in Nearness:
            self.largest[near] = max(self.largest[near], shape.topology.most(near, takeable))

    def stock(self, kind: Kind) -> Stock:
        """The whole."""
        return Stock(
            kind=kind,
            total=self.total,
            free=self.free,
            held=self.held,
            unusable=self.total - self.free - self.held,
            on_one_node=self.on_one_node,
            largest=self.largest,
        )


def _by_kind(shape: Shape, model: str) -> dict[Kind, list[Slot]]:
    found: dict[Kind, list[Slot]] = {}
    for slot in shape.slots:
        if slot.free + slot.held and model in slot.spec.model.casefold():
            found.setdefault(_kind(slot.spec), []).append(slot)
    return found


def _kind(spec: Spec) -> Kind:
    return Kind(spec.type, spec.vendor, spec.model, spec.resource_class)
