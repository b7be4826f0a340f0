"""How good a place is: named parts from 0 to 1, and the policies that weigh them.

Each part is a function of what is taken on one node. Nothing of it depends on names, so that nodes of one shape
have one score. Within a node the same parts choose the set of cards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from accel.errors import InvalidValue
from accel.placement.demand import Demand
from accel.placement.filters import NODE_FILTERS
from accel.placement.shapes import Shape
from accel.placement.topology import Topology
from accel.placement.wanted import Nearness, WantedGroup

Sizes = tuple[tuple[int, float], ...]
"""How often so many cards of one node are asked for: numbers of cards, each with its part of 1."""

SIZES: Final[Sizes] = ((1, 0.25), (2, 0.25), (4, 0.25), (8, 0.25))
"""As long as nobody knows better."""

_STEP = 0.05


class Pick(NamedTuple):
    """So many handles of one slot for one group."""

    group: int
    slot: int
    amount: int


@dataclass(frozen=True, slots=True)
class Placed:
    """What would be taken of a node."""

    groups: tuple[WantedGroup, ...]
    shape: Shape
    picks: tuple[Pick, ...]
    used: int
    """The cards that something is taken of, as a set."""
    sizes: Sizes = SIZES


Scorer = Callable[[Placed], float]
"""Gives a figure from 0 to 1, the same for the same value. The larger, the better."""
SetScorer = Callable[[Shape, int, Sizes], float]
"""The same of the set of cards alone, which is how sets are compared within a node."""


def sizes_of(demand: Demand) -> Sizes:
    """The sizes of what is asked for these days, in steps of five hundredths: they are to change seldom, because
    whatever was found out about shapes with others is of no use any more.
    """
    sizes: dict[int, float] = {}
    for shape, share in demand.shares.items():
        for _, count in shape:
            sizes[count] = sizes.get(count, 0.0) + share
    total = sum(sizes.values())
    rounded = {size: round(share / total / _STEP) * _STEP for size, share in sorted(sizes.items())}
    return tuple((size, round(share, 2)) for size, share in rounded.items() if share) or SIZES


def pack(shape: Shape, used: int, _sizes: Sizes = SIZES) -> float:
    """Half: how full the node is then, by cards. Half: how many of the cards were in use before."""
    cards = (shape.usable | shape.busy | used).bit_count()
    return ((shape.busy | used).bit_count() / cards + (used & shape.busy).bit_count() / used.bit_count()) / 2


def spread(shape: Shape, used: int, _sizes: Sizes = SIZES) -> float:
    """The contrary of ``pack``."""
    return 1 - pack(shape, used)


def topology(shape: Shape, used: int, _sizes: Sizes = SIZES) -> float:
    """How well the cards are connected: 1 for links between all of them, and for a single card."""
    return shape.topology.closeness(used)


def fragmentation(shape: Shape, used: int, sizes: Sizes = SIZES) -> float:
    """How useful the cards stay that nobody has anything of.

    Of idle cards those are wasted that some size of request cannot have: there are not so many of them, or not so many
    on a NUMA node, or with links between all of them. 0.5: as much is wasted as before; less is better. Nothing that is
    whole is broken where cards are used that were in use before: 1.
    """
    taken = [cards for cards in shape.kinds if cards & shape.idle & used]
    if not taken:
        return 1.0
    change = 0.0
    for cards in taken:
        before = cards & shape.idle
        after = before & ~used
        change += (_waste(shape.topology, after, sizes) - _waste(shape.topology, before, sizes)) / cards.bit_count()
    return 0.5 - change / len(taken) / 2


def health(placed: Placed) -> float:
    """The share of the node's cards that nothing speaks against."""
    return placed.shape.usable.bit_count() / placed.shape.topology.size


def fairness(placed: Placed) -> float:
    """How much of what is special in the units was asked for: what is not stays for those who ask for it."""
    shares = [_asked_share(placed, pick) for pick in placed.picks]
    return sum(shares) / sum(pick.amount for pick in placed.picks)


SET_SCORERS: Final[Mapping[str, SetScorer]] = {
    "pack": pack,
    "spread": spread,
    "topology": topology,
    "fragmentation": fragmentation,
}


def _of_set(scorer: SetScorer) -> Scorer:
    return lambda placed: scorer(placed.shape, placed.used, placed.sizes)


def _pack_bound(shape: Shape, handles: int, _sizes: Sizes) -> float:
    busy = shape.busy.bit_count()
    full = min(1.0, (busy + handles) / max(1, (shape.usable | shape.busy).bit_count()))
    return (full + (1.0 if shape.busy & shape.ready else 0.0)) / 2


def _spread_bound(shape: Shape, _handles: int, _sizes: Sizes) -> float:
    return 1 - shape.busy.bit_count() / max(1, (shape.usable | shape.busy).bit_count()) / 2


def _fragmentation_bound(shape: Shape, handles: int, sizes: Sizes) -> float:
    """Exact where whole cards of one kind are taken and nothing is lost but their number."""
    if shape.busy & shape.ready or len(shape.kinds) != 1:
        return 1.0
    gain = _waste(shape.topology, shape.idle, sizes) - _least_waste(shape.topology, shape.idle, handles, sizes)
    return 0.5 + gain / shape.topology.size / 2


BOUNDS: Final[Mapping[str, Callable[[Shape, int, Sizes], float]]] = {
    "pack": _pack_bound,
    "spread": _spread_bound,
    "fragmentation": _fragmentation_bound,
    "health": lambda shape, *_: shape.usable.bit_count() / max(1, shape.topology.size),
}
"""What a part is at most where so many handles are taken, found without looking for them. Of others it is 1."""

SCORERS: Final[Mapping[str, Scorer]] = {
    **{name: _of_set(scorer) for name, scorer in SET_SCORERS.items()},
    "health": health,
    "fairness": fairness,
}
"""The parts of a score that everybody has; others come with packages of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is good.

    :raises InvalidValue: a part or filter is not known, or a weight is not to be weighed with
    """

    weights: Mapping[str, float] = field(hash=False)
    """By the name of the part; those that are not named do not count."""
    filters: tuple[str, ...] = ()
    """Keys of ``NODE_FILTERS``."""
    sizes: Sizes = SIZES
    """What the fragmentation is measured against."""
    scorers: Mapping[str, Scorer] = field(default_factory=lambda: SCORERS, hash=False, repr=False)
    _whole: float = field(init=False, repr=False)
    """All weights together."""

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if name not in self.scorers:
                raise InvalidValue("weights", name, f"one of {', '.join(sorted(self.scorers))}")
            if not 0 <= weight <= 1000:
                raise InvalidValue(f"weights.{name}", weight, "a number from 0 to 1000")
        object.__setattr__(self, "_whole", sum(self.weights.values()))
        if not self._whole:
            raise InvalidValue("weights", dict(self.weights), "a table with one weight above 0 at least")
        for name in self.filters:
            if name not in NODE_FILTERS:
                raise InvalidValue("filters", name, f"one of {', '.join(sorted(NODE_FILTERS))}")

    def scores(self, placed: Placed) -> dict[str, float]:
        """The parts that count, each as it is."""
        return {name: round(self.scorers[name](placed), 6) for name, weight in self.weights.items() if weight}

    def total(self, scores: Mapping[str, float]) -> float:
        """The parts by their weights, from 0 to 1."""
        return round(sum(self.weights[name] * score for name, score in scores.items()) / self._whole, 6)

    def of_set(self, shape: Shape, used: int) -> float:
        """How good a set of cards is beside other sets of the same node."""
        value = 0.0
        for name, weight in self.weights.items():
            if weight and (scorer := SET_SCORERS.get(name)):
                value += weight * scorer(shape, used, self.sizes)
        return value

    def at_most(self, shape: Shape, cards: int) -> float:
        """What nothing that takes so many handles of the node gets more than, with room for rounding."""
        most = 0.0
        for name, weight in self.weights.items():
            most += weight * BOUNDS[name](shape, cards, self.sizes) if name in BOUNDS else weight
        return most / self._whole + 1e-5


POLICIES: Final[Mapping[str, Mapping[str, float]]] = {
    "default": {"fragmentation": 4, "topology": 2, "pack": 2, "health": 1, "fairness": 1},
    "pack": {"pack": 4, "topology": 1},
    "spread": {"spread": 4, "topology": 1},
    "topology": {"topology": 4, "fragmentation": 1},
}
"""Weights that have a name."""

DEFAULT: Final = Policy(weights=POLICIES["default"])


def _asked_share(placed: Placed, pick: Pick) -> float:
    group, traits = placed.groups[pick.group], placed.shape.slots[pick.slot].spec.traits
    asked = group.required.union(*group.any_of) & traits
    return pick.amount * (len(asked) / len(traits) if traits else 1.0)


def _waste(topology: Topology, idle: int, sizes: Sizes) -> float:
    """How many of these cards are wasted, in the mean over the sizes and ways of asking."""
    key = ("waste", idle, sizes)
    found = topology.memory.get(key)
    if found is None:
        found = _wasted(idle.bit_count(), [topology.largest(near, idle) for near in _ways(topology)], sizes)
        topology.remember(key, found)
    return found


def _least_waste(topology: Topology, idle: int, fewer: int, sizes: Sizes) -> float:
    """What is wasted at least when so many of these cards are taken."""
    key = ("least waste", idle, fewer, sizes)
    found = topology.memory.get(key)
    if found is None:
        left = max(0, idle.bit_count() - fewer)
        found = _wasted(left, [min(left, topology.largest(near, idle)) for near in _ways(topology)], sizes)
        topology.remember(key, found)
    return found


def _ways(topology: Topology) -> list[Nearness]:
    return [near for near in (Nearness.NODE, Nearness.NUMA, Nearness.LINKED) if topology.is_known(near)]


def _wasted(count: int, largest: Sequence[int], sizes: Sizes) -> float:
    """How many of so many cards are wasted where so many are near at most, in each way of being near."""
    return count * sum(share for size, share in sizes for most in largest if most < size) / len(largest)
