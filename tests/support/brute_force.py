"""The slow and plain way to find out where something fits: all handles that suit are tried for all that is wanted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

from accel.placement.snapshot import Card, Handle, Host, Unit
from accel.placement.wanted import DIFFERENT_NODE, Nearness, Wanted, WantedGroup


class Taken(NamedTuple):
    """One handle for one group."""

    group: int
    card: Card
    unit: Unit
    handle: Handle


NEAR: Mapping[str, Callable[[Card, Card], bool]] = {
    Nearness.NODE: lambda *_: True,
    Nearness.NUMA: lambda a, b: a.numa_node is not None and a.numa_node == b.numa_node,
    Nearness.SWITCH: lambda a, b: a.pci_path[:2] == b.pci_path[:2] != (),
    Nearness.LINKED: lambda a, b: a.uuid in b.links or b.uuid in a.links,
    Nearness.DEVICE: lambda *_: False,
}
"""Of two different cards of one node."""


def suits(group: WantedGroup, card: Card, unit: Unit) -> bool:
    """Whether a unit is what a group wants and can be used."""
    facts = {**unit.figures, "type": card.type, "vendor": card.vendor, "model": card.model, "kind": unit.kind}
    return (
        not card.obstacle
        and not unit.obstacle
        and group.resource_class in (None, unit.resource_class)
        and group.required <= unit.traits
        and not group.forbidden & unit.traits
        and all(names & unit.traits for names in group.any_of)
        and all(comparison.holds(facts) for comparison in group.comparisons)
    )


def is_right(wanted: Wanted, taken: Sequence[Taken]) -> bool:
    """Whether what is taken of one node is free, taken once, as suitable and as near as it is to be."""
    if len({one.handle for one in taken}) < len(taken):
        return False
    if not all(one.handle in one.unit.free and suits(wanted.groups[one.group], one.card, one.unit) for one in taken):
        return False
    ties = [((number,), group.near) for number, group in enumerate(wanted.groups)]
    ties += [(tie.groups, tie.near) for tie in wanted.together if tie.near != DIFFERENT_NODE]
    return all(_are_near(near, [one.card for one in taken if one.group in groups]) for groups, near in ties)


def fits_on(wanted: Wanted, groups: Iterable[int], host: Host) -> bool:
    """Whether some groups fit on a node."""
    if not host.is_online or not host.has_labels(wanted.labels) or host.name in wanted.exclude_nodes:
        return False
    choices = [
        combinations(
            [what for what in _handles(group, host) if suits(wanted.groups[group], what.card, what.unit)], count
        )
        for group, count in ((group, wanted.groups[group].count) for group in groups)
    ]
    return any(is_right(wanted, [one for taken in choice for one in taken]) for choice in product(*choices))


def _handles(group: int, host: Host) -> list[Taken]:
    return [Taken(group, card, unit, handle) for card in host.cards for unit in card.units for handle in unit.free]


def fits(wanted: Wanted, hosts: Sequence[Host]) -> bool:
    """Whether all that is wanted fits on some of the nodes."""
    parts = [part for part in wanted.parts for _ in range(wanted.nodes)]
    able = [{host.name for host in hosts if fits_on(wanted, part, host)} for part in parts]
    return any(len(set(names)) == len(names) for names in product(*able))


def _are_near(near: str, cards: Sequence[Card]) -> bool:
    return all(a.uuid == b.uuid or NEAR[near](a, b) for a, b in combinations(cards, 2))
