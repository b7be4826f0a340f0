"""A fleet as a question sees it: how many nodes of which shape it may use, under suppositions."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from accel.placement.fleet import Fleet
from accel.placement.shapes import Shape
from accel.placement.supposed import NOTHING, Suppositions, supposed
from accel.placement.wanted import Wanted

Crowd = Mapping[Shape, int]
"""How many nodes there are of each shape."""


class Sight:
    """A fleet under suppositions.

    :param matters: which of its nodes are looked at, by their shapes; the others are as if they were not there
    """

    def __init__(
        self, fleet: Fleet, suppose: Suppositions = NOTHING, *, matters: Callable[[Shape], bool] = lambda _shape: True
    ) -> None:
        self.fleet = fleet
        self._now = supposed(filter(matters, fleet.shapes), suppose)
        self._crowds: dict[object, Crowd] = {}

    def everybody(self) -> Crowd:
        """All nodes."""
        return self._counted((shape, len(members)) for shape, members in self.fleet.shapes.items())

    def crowd(self, wanted: Wanted) -> Crowd:
        """The nodes of the labels that are wanted, but for those that are left out."""
        key = (frozenset(wanted.labels.items()), wanted.exclude_nodes)
        if key not in self._crowds:
            self._crowds[key] = self._counted(self._allowed(wanted))
        return self._crowds[key]

    def now(self, name: str) -> Shape:
        """The shape of a node."""
        return self._now[self.fleet.shape_of(name)]

    def lacking(self, key: str, value: str) -> int:
        """How many nodes that are online lack a label."""
        having = self.fleet.labelled({key: value})
        return sum(
            self._now[shape].is_online and name not in having
            for shape in self.fleet.shapes
            for name in self.fleet.names_of(shape)
        )

    def names(self, shapes: Collection[Shape], wanted: Wanted) -> Iterator[str]:
        """The names of the nodes of some shapes that a question may use."""
        may_be = self.fleet.labelled(wanted.labels) if wanted.labels else self.fleet.hosts
        for shape, now in self._now.items():
            if now in shapes:
                for name in self.fleet.names_of(shape):
                    if name in may_be and name not in wanted.exclude_nodes:
                        yield name

    def _allowed(self, wanted: Wanted) -> Iterator[tuple[Shape, int]]:
        fleet = self.fleet
        if wanted.labels:
            names = fleet.labelled(wanted.labels) - wanted.exclude_nodes
            yield from Counter(map(fleet.shape_of, names)).items()
            return
        yield from ((shape, len(members)) for shape, members in fleet.shapes.items())
        yield from ((fleet.shape_of(name), -1) for name in wanted.exclude_nodes if name in fleet.hosts)

    def _counted(self, nodes: Iterator[tuple[Shape, int]]) -> Crowd:
        counted: dict[Shape, int] = {}
        for shape, count in nodes:
            now = self._now.get(shape)
            if now is not None:
                counted[now] = counted.get(now, 0) + count
        return {shape: count for shape, count in counted.items() if count}
