"""A node as it is when some of what is free has been taken."""

from collections.abc import Collection
from dataclasses import replace

from accel.placement.snapshot import Card, Host, Unit


def without(host: Host, handles: Collection[str]) -> Host:
    """A node of which somebody takes the handles with these UUIDs."""
    return replace(host, cards=tuple(_card(card, handles) for card in host.cards))


def _card(card: Card, handles: Collection[str]) -> Card:
    units = tuple(_unit(unit, handles) for unit in card.units)
    return card if units == card.units else replace(card, units=units)


def _unit(unit: Unit, handles: Collection[str]) -> Unit:
    free = tuple(handle for handle in unit.free if handle.uuid not in handles)
    taken = len(unit.free) - len(free)
    return replace(unit, free=free, held=unit.held + taken) if taken else unit
