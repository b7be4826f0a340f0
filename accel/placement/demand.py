"""What is asked for these days, and how much of what is free on a node could not serve it.

A request is known by its *shape*: how many accelerators of which class it takes of one node. The shapes of recent
requests and how often each came are the demand. Measured against it, a free accelerator is worth more where those that
come fit: of eight that are free on one node, seven are lost to whoever wants eight as soon as one is taken.

This is the published measure of fragmentation (fragmentation gradient descent, USENIX ATC 2023) for hosts whose
accelerators are had whole, or in parts that have a class of their own.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from accel.placement.wanted import Wanted

Shape = tuple[tuple[str, int], ...]
"""Accelerators of one node by resource class, in the order of the classes."""

ANY_CLASS = ""
"""Stands in a shape for accelerators whose class does not matter."""

KEPT = 1000
"""Of so many requests the shapes are remembered."""


def shapes(wanted: Wanted) -> list[Shape]:
    """What a question takes of each node that it takes something of."""
    on_one_node = []
    for part in wanted.parts:
        counts = Counter[str]()
        for number in part:
            group = wanted.groups[number]
            counts[group.resource_class or ANY_CLASS] += group.count
        on_one_node.append(tuple(sorted(counts.items())))
    return on_one_node * wanted.nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """How often requests of each shape come."""

    shares: Mapping[Shape, float] = field(default_factory=dict)
    """Parts of 1. Empty: nothing is known, and nothing counts as fragmented."""

    @classmethod
    def of(cls, seen: Mapping[Shape, int]) -> Self:
        """From how many came of each."""
        total = sum(seen.values())
        return cls(shares={shape: count / total for shape, count in seen.items() if count})

    def fragmented(self, free: Mapping[str, int]) -> float:
        """How many of a node's free accelerators are of no use to a request, on average over the demand.

        To a request that does not fit the node, whatever is free of the classes that it asks for is of no use; to one
        that fits, all of it is. Classes that it does not ask for are another's matter.

        :param free: free accelerators by resource class
        """
        return sum(share * _of_no_use(shape, free) for shape, share in self.shares.items())

    def growth(self, free: Mapping[str, int], taken: Mapping[str, int]) -> float:
        """How much more is fragmented once something is taken; below 0 where taking it mends more than it breaks."""
        left = {name: count - taken.get(name, 0) for name, count in free.items()}
        return self.fragmented(left) - self.fragmented(free)


class RecentDemand:
    """Remembers the shapes of the last requests, and forgets those before them."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._shapes = deque[Shape](maxlen=kept)
        self._counts = Counter[Shape]()

    def add(self, came: Iterable[Shape]) -> None:
        """Remember some more."""
        for shape in came:
            if len(self._shapes) == self._shapes.maxlen:
                self._counts[self._shapes[0]] -= 1
            self._shapes.append(shape)
            self._counts[shape] += 1
        self._counts = +self._counts

    @property
    def demand(self) -> Demand:
        """As it is now."""
        return Demand.of(self._counts)


def _of_no_use(shape: Shape, free: Mapping[str, int]) -> int:
    """Of the free accelerators of the classes that a shape asks for, those that it cannot use."""
    asked = dict(shape)
    anything = asked.pop(ANY_CLASS, 0)
    here = sum(free.values()) if anything else sum(free.get(name, 0) for name in asked)
    fits = all(free.get(name, 0) >= count for name, count in asked.items())
    return 0 if fits and here >= anything + sum(asked.values()) else here
