"""A fleet file as nodes to play, read anew when it changes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from accel.drivers.fleet import schema
from accel.drivers.fleet.cuts import Cuts, CutsFile
from accel.drivers.fleet.layout import places
from accel.drivers.fleet.node import SimulatedNode
from accel.drivers.fleet.schema import Description, NodeGroup
from accel.errors import InvalidFleet


@dataclass(frozen=True)
class Fleet:
    """The nodes of a fleet file."""

    nodes: tuple[SimulatedNode, ...]

    def node(self, name: str) -> SimulatedNode | None:
        """The node of that name; None when the file has none."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, SimulatedNode]:
        return {node.name: node for node in self.nodes}


def load(path: Path) -> Fleet:
    """Read a fleet file.

    :raises InvalidFleet: it has a mistake; the text names file, line, field and what is allowed
    """
    return _fleet(schema.read(path))


def of_document(value: object, source: str, *, most: int) -> Fleet:
    """Read what stands in a fleet file, and came in another way.

    :param source: what it is called
    :param most: how many nodes, and how many accelerators, it may describe
    :raises InvalidFleet: it has a mistake, or describes more; the text tells where and what is allowed
    """
    return _fleet(schema.read_value(value, source, most=most))


def _fleet(description: Description) -> Fleet:
    return Fleet(tuple(node for group in description.groups for node in _nodes(group, description)))


def _nodes(group: NodeGroup, description: Description) -> Iterator[SimulatedNode]:
    shared_places = places(group.cards)
    for index, name in enumerate(group.node_names()):
        yield SimulatedNode(
            name=name,
            rack=group.rack_of(index),
            labels=group.labels,
            kernel=group.kernel,
            numa=group.numa,
            places=shared_places,
            faults=description.faults.get(name, {}),
        )


@dataclass(slots=True)
class FleetFile:
    """A fleet file that may change while we run: a card vanishes from it, and comes back."""

    path: Path
    cuts: CutsFile | None = None
    """What cards have been cut into since; None: nobody cuts any."""
    _fleet: Fleet | None = None
    _version: tuple[int, ...] | None = None

    def current(self) -> Fleet:
        """The fleet as the file describes it now; read again only when the file has changed.

        :raises InvalidFleet: the file is away or has a mistake
        """
        version = self._version_now()
        if self._fleet is None or version != self._version:
            self._fleet = _cut(load(self.path), self.cuts.read() if self.cuts else {})
            self._version = version
        return self._fleet

    def _version_now(self) -> tuple[int, ...]:
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InvalidFleet(f"{self.path}: cannot be read: {error.strerror}") from error
        return stat.st_mtime_ns, stat.st_size, stat.st_ino, *(self.cuts.version() if self.cuts else ())


def _cut(fleet: Fleet, cuts: Cuts) -> Fleet:
    if not cuts:
        return fleet
    return Fleet(tuple(replace(node, cuts=cuts[node.name]) if node.name in cuts else node for node in fleet.nodes))
