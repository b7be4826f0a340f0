"""Which of the free devices of a resource suit a container best.

A kubelet takes an error here for a refusal of the pod, so there is always an answer: the worst that can be is one that
is no better than chance.

Connections are weighed pair by pair, by what placement knows of the topology of a node. Of up to sixteen units all
sets are weighed: the units are cut in two halves, everything about the subsets of each half is worked out once, and
what is left for a set is one addition. Of more, sets are grown from several beginnings.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import add, itemgetter

from accel.kubernetes.resources import Allocation, Resource
from accel.model.device import Device
from accel.placement.snapshot import Card
from accel.placement.topology import Topologies

_EXACT = 16
_STEPS = 4
"""Closeness from 0 to 1, in whole steps."""
_BEGINNINGS = 16

Weights = tuple[tuple[int, ...], ...]
"""How near each unit is to each, in steps; to itself 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a kubelet asks."""

    available: Sequence[str]
    must_include: Sequence[str]
    size: int


class Preference:
    """The order of preference among the devices of a resource, worked out once for all questions.

    :param devices: all of the node, in any order; they know of their connections
    """

    def __init__(self, resource: Resource, devices: Sequence[Device]) -> None:
        self._resource = resource
        self._portions = {portion.id: portion for portion in resource.portions()}
        self._totals = {one.unit.id: one.shares for one in resource.counted}
        self._units = [unit.id for unit in resource.units]
        self._place = {unit: number for number, unit in enumerate(self._units)}
        self._weights = _weights(resource, devices)

    @property
    def known(self) -> Collection[str]:
        """The ids of all devices."""
        return self._portions.keys()

    def choose(self, demand: Demand) -> list[str]:
        """So many of the available ids as are asked for, those that must be among them first; fewer where there are
        fewer.
        """
        must = list(dict.fromkeys(demand.must_include))
        free = [one for one in dict.fromkeys(demand.available) if one in self._portions and one not in must]
        known = [one for one in must if one in self._portions]
        wanted = demand.size - len(must)
        if wanted <= 0 or wanted >= len(free):
            return [*must, *free][: max(0, demand.size)]
        if self._resource.allocation is Allocation.LINKED:
            chosen = self._linked(free, known, wanted)
        else:
            chosen = self._counted(free, known, wanted)
        rest = (one for one in free if one not in set(chosen))
        return [*must, *chosen, *rest][: demand.size]

    def _linked(self, free: Sequence[str], must: Sequence[str], wanted: int) -> list[str]:
        """One portion of each of the units that are best connected; of shares, more where there are too few units."""
        by_unit: dict[int, list[str]] = {}
        for one in sorted(free):
            by_unit.setdefault(self._of(one), []).append(one)
        needed = sorted({self._of(one) for one in must})
        candidates = sorted(by_unit.keys() | set(needed))
        size = min(wanted + len(needed), len(candidates))
        best = best_set(self._weights, tuple(candidates), size, tuple(needed))
        return [by_unit[unit][0] for unit in best if unit in by_unit and unit not in needed][:wanted]

    def _counted(self, free: Sequence[str], must: Sequence[str], wanted: int) -> list[str]:
        """One after the other: of the unit that is used most, or least."""
        left: dict[str, list[str]] = {}
        for one in sorted(free, key=_share_order):
            left.setdefault(self._portions[one].unit.id, []).append(one)
        used = {unit: self._totals[unit] - len(left.get(unit, ())) for unit in self._units}
        own = Counter(self._portions[one].unit.id for one in must)
        chosen: list[str] = []
        while len(chosen) < wanted and left:
            unit = min(left, key=self._rank(used, own, left, wanted - len(chosen)))
            chosen.append(left[unit].pop(0))
            own[unit] += 1
            if not left[unit]:
                del left[unit]
        return chosen

    def _rank(
        self, used: Mapping[str, int], own: Mapping[str, int], left: Mapping[str, Sequence[str]], wanted: int
    ) -> Callable[[str], tuple[int, ...]]:
        """The order in which units are taken from, the least first."""
        places, weights = self._place, self._weights
        chosen = [places[unit] for unit in own]

        def near(unit: str) -> int:
            return -sum(weights[places[unit]][other] for other in chosen)

        if self._resource.allocation is Allocation.PACKED and not self._resource.rule.is_on_different_cards:
            return lambda unit: (-own.get(unit, 0), len(left[unit]) < wanted, -used[unit], near(unit), places[unit])
        if self._resource.allocation is Allocation.PACKED:
            return lambda unit: (own.get(unit, 0), -used[unit], near(unit), places[unit])
        return lambda unit: (own.get(unit, 0), used[unit], near(unit), places[unit])

    def _of(self, portion: str) -> int:
        return self._place[self._portions[portion].unit.id]


def _share_order(portion: str) -> tuple[int, str]:
    """Shares by their number, so that the tenth does not come before the second."""
    return len(portion), portion


def _weights(resource: Resource, devices: Sequence[Device]) -> Weights:
    cards = [_card(device) for device in devices]
    number = {card.uuid: place for place, card in enumerate(cards)}
    topology = Topologies().of(cards)
    where = [number.get(unit.device.identity) for unit in resource.units]

    def weight(a: int | None, b: int | None) -> int:
        if a is None or b is None:
            return 0
        return _STEPS if a == b else round(topology.pair(a, b) * _STEPS)

    return tuple(tuple(0 if i == j else weight(a, b) for j, b in enumerate(where)) for i, a in enumerate(where))


def _card(device: Device) -> Card:
    return Card(
        uuid=device.identity,
        type=device.type,
        vendor=device.vendor,
        model=device.model,
        numa_node=device.numa_node,
        pci_path=device.pci_path,
        address=device.address,
        links={link.peer: link.width for link in device.links},
    )


@lru_cache(maxsize=1024)
def best_set(weights: Weights, candidates: tuple[int, ...], size: int, needed: tuple[int, ...]) -> tuple[int, ...]:
    """The candidates that are best connected with one another, and leave others that are; in order.

    :param candidates: in order; the needed ones are among them
    :param size: how many, the needed ones included
    """
    if size >= len(candidates):
        return candidates
    if size <= len(needed):
        return needed
    inner = [[weights[a][b] for b in candidates] for a in candidates]
    must = [place for place, one in enumerate(candidates) if one in needed]
    found = _exact(inner, size, must) if len(candidates) <= _EXACT else _grown(inner, size, must)
    return tuple(candidates[place] for place in found)


def _exact(weights: Sequence[Sequence[int]], size: int, must: Sequence[int]) -> list[int]:
    """All sets are weighed: first how well the set is connected, then how well what is left is."""
    count = len(weights)
    half = count // 2
    # What is left is connected by everything, less what the members of the set have, and the set's own twice counted.
    scale = 2 * count * count * _STEPS
    own = [-sum(row) for row in weights]
    low = _subsets([row[:half] for row in weights[:half]], own[:half], scale)
    high = _subsets([row[half:] for row in weights[half:]], own[half:], scale)
    across = [_sums([scale * one for one in row[half:]]) for row in weights[:half]]
    needed_low = sum(1 << place for place in must if place < half)
    needed_high = sum(1 << (place - half) for place in must if place >= half)
    pickers = _pickers(count - half, needed_high)
    with_high: list[list[int]] = [high]
    best, best_low, best_high = -(10**12), 0, 0
    for mask in range(1 << half):
        if mask:
            bit = mask & -mask
            with_high.append(list(map(add, with_high[mask ^ bit], across[bit.bit_length() - 1])))
        picker = pickers.get(size - mask.bit_count())
        if picker is None or mask & needed_low != needed_low:
            continue
        masks, pick = picker
        values = pick(with_high[mask])
        value = max(values)
        if value + low[mask] > best:
            best, best_low, best_high = value + low[mask], mask, masks[values.index(value)]
    return [*_bits(best_low), *(half + place for place in _bits(best_high))]


def _subsets(weights: Sequence[Sequence[int]], own: Sequence[int], scale: int) -> list[int]:
    """The worth of each subset, by its mask."""
    sums = [_sums([scale * one for one in row]) for row in weights]
    worth = [0]
    for mask in range(1, 1 << len(weights)):
        bit = mask & -mask
        place, rest = bit.bit_length() - 1, mask ^ bit
        worth.append(worth[rest] + sums[place][rest] + own[place])
    return worth


def _sums(values: Sequence[int]) -> list[int]:
    """The sum of the values of each subset, by its mask."""
    sums = [0]
    for value in values:
        sums += [one + value for one in sums]
    return sums


_Picker = tuple[Sequence[int], Callable[[Sequence[int]], tuple[int, ...]]]


def _pickers(count: int, needed: int) -> dict[int, _Picker]:
    """By how many members: the subsets that have all that is needed, and what takes their values out of a list."""
    masks: dict[int, list[int]] = {}
    for mask in range(1 << count):
        if mask & needed == needed:
            masks.setdefault(mask.bit_count(), []).append(mask)
    return {size: (found, _picker(found)) for size, found in masks.items()}


def _picker(places: Sequence[int]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    if len(places) == 1:
        only = places[0]
        return lambda values: (values[only],)
    return itemgetter(*places)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit.bit_length() - 1
        mask ^= bit


def _grown(weights: Sequence[Sequence[int]], size: int, must: Sequence[int]) -> list[int]:
    """The best of several sets that are grown one by one, each by what is nearest to it."""
    starts = [list(must)] if must else [[place] for place in range(0, len(weights), -(-len(weights) // _BEGINNINGS))]
    grown = [_grow(weights, size, start) for start in starts]
    return max(grown, key=lambda members: sum(weights[a][b] for a in members for b in members))


def _grow(weights: Sequence[Sequence[int]], size: int, start: list[int]) -> list[int]:
    members = list(start)
    near = [sum(row[one] for one in members) for row in weights]
    left = set(range(len(weights))) - set(members)
    while len(members) < size:
        best = max(left, key=lambda place: (near[place], -place))
        left.remove(best)
        members.append(best)
        near = list(map(add, near, weights[best]))
    return sorted(members)
