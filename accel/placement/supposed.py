"""What can be taken for granted about a fleet although it is not so, and how its nodes look then."""

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from accel.placement.shapes import Shape, Slot, Spec
from accel.placement.snapshot import Obstacle


class Supposition(StrEnum):
    """One such thing."""

    RELEASED = "released"
    """Whatever somebody holds has been given back."""
    REPAIRED = "repaired"
    """What is lost, disabled, unhealthy or of unknown health can be used."""
    ONLINE = "online"
    """The agents of all nodes are heard."""


Suppositions = frozenset[Supposition]

NOTHING: Suppositions = frozenset()
EVERYTHING: Suppositions = frozenset(Supposition)


def supposed(shapes: Iterable[Shape], suppose: Suppositions) -> dict[Shape, Shape]:
    """For each shape the one that its nodes are of under suppositions; those that do not differ any more share one."""
    if not suppose:
        return {shape: shape for shape in shapes}
    known: dict[object, Shape] = {}
    found = {}
    for shape in shapes:
        is_online = shape.is_online or Supposition.ONLINE in suppose
        slots = _slots(shape.slots, suppose)
        usable = shape.topology.all if Supposition.REPAIRED in suppose else shape.usable
        busy = 0 if Supposition.RELEASED in suppose else shape.busy
        key = (shape.topology, is_online, slots, usable, busy, shape.kinds)
        if key not in known:
            changed = replace(shape, is_online=is_online, slots=slots, usable=usable, busy=busy, answers={})
            known[key] = _offering(changed)
        found[shape] = known[key]
    return found


def _offering(shape: Shape) -> Shape:
    """The shape with what follows from the rest of it."""
    slots = shape.slots
    open_ = tuple(number for number, slot in enumerate(slots) if slot.is_open) if shape.is_online else ()
    offer: dict[Spec, int] = {}
    for number in open_:
        offer[slots[number].spec] = offer.get(slots[number].spec, 0) + slots[number].free
    return replace(shape, open=open_, offer=offer, idle=shape.usable & ~shape.busy)


def _slots(slots: Iterable[Slot], suppose: Suppositions) -> tuple[Slot, ...]:
    if Supposition.REPAIRED in suppose:
        slots = [slot if not slot.obstacle else slot._replace(obstacle=Obstacle.NONE) for slot in slots]
    if Supposition.RELEASED in suppose:
        slots = [slot if not slot.held else slot._replace(free=slot.free + slot.held, held=0) for slot in slots]
    return tuple(slots)
