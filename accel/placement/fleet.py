"""An index of the nodes by their shapes.

The cost of a question depends on how many shapes there are, not on how many nodes: ten thousand nodes of one kind, each
with some of its eight cards taken, are of a few hundred shapes. A changed node costs a change of two small tables.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from types import MappingProxyType

from accel.placement.shapes import Shape, Shapes, Spec
from accel.placement.snapshot import Host

Member = tuple[int, str]
"""Where a node stands on the ring of its shape, and its name."""


def ring_position(text: str) -> int:
    """A place on a ring that texts are spread over evenly, and always the same for the same text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


class Fleet:
    """The nodes of a fleet by name and by shape. It is for one thread at a time; a copy is for another one."""

    def __init__(self) -> None:
        self._book = Shapes()
        self._hosts: dict[str, Host] = {}
        self._shape_of: dict[str, Shape] = {}
        self._members: dict[Shape, list[Member]] = {}
        self._offering: dict[Spec, dict[Shape, None]] = {}
        self._labelled: dict[tuple[str, str], set[str]] = {}

    @classmethod
    def of(cls, hosts: Iterable[Host]) -> "Fleet":
        """A fleet of these nodes. Of several with one name the last counts."""
        fleet = cls()
        for host in hosts:
            fleet.replace(host)
        return fleet

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All nodes by name, as they are at this moment."""
        return MappingProxyType(self._hosts)

    @property
    def shapes(self) -> Mapping[Shape, Sequence[Member]]:
        """The shapes that there are, each with its nodes."""
        return MappingProxyType(self._members)

    def __len__(self) -> int:
        return len(self._hosts)

    def shape_of(self, name: str) -> Shape:
        """The shape of a node."""
        return self._shape_of[name]

    def names_of(self, shape: Shape) -> Iterator[str]:
        """The names of the nodes of a shape."""
        return (name for _, name in self._members.get(shape, ()))

    def replace(self, host: Host) -> None:
        """Add a node, or put it in the place of the one with its name."""
        self.remove(host.name)
        shape = self._book.of(host)
        self._hosts[host.name] = host
        self._shape_of[host.name] = shape
        if shape not in self._members:
            self._members[shape] = []
            for spec in shape.offer:
                self._offering.setdefault(spec, {})[shape] = None
        insort(self._members[shape], (ring_position(host.name), host.name))
        for label in _labels(host):
            self._labelled.setdefault(label, set()).add(host.name)

    def remove(self, name: str) -> None:
        """Take a node out, if it is in."""
        host = self._hosts.pop(name, None)
        if host is None:
            return
        shape = self._shape_of.pop(name)
        members = self._members[shape]
        del members[bisect_left(members, (ring_position(name), name))]
        if not members:
            self._forget(shape)
        for label in _labels(host):
            _discard(self._labelled, label, name)

    def copy(self) -> "Fleet":
        """A fleet that is equal now and changes apart from this one."""
        copy = Fleet()
        copy._book = self._book
        copy._hosts = dict(self._hosts)
        copy._shape_of = dict(self._shape_of)
        copy._members = {shape: list(members) for shape, members in self._members.items()}
        copy._offering = {spec: dict(shapes) for spec, shapes in self._offering.items()}
        copy._labelled = {label: set(names) for label, names in self._labelled.items()}
        return copy

    def specs(self) -> Iterable[Spec]:
        """All kinds of units of which something can be taken somewhere."""
        return self._offering.keys()

    def offering(self, specs: Iterable[Spec]) -> dict[Shape, None]:
        """The shapes that have something of one of these kinds to give, in an order that does not change by itself."""
        return dict.fromkeys(chain.from_iterable(self._offering.get(spec, ()) for spec in specs))

    def labelled(self, labels: Mapping[str, str]) -> set[str]:
        """The names of the nodes that have all these labels; ``rack`` stands for the rack."""
        found = [self._labelled.get(label, set()) for label in labels.items()]
        return set.intersection(*found) if found else set(self._hosts)

    def ring(self, shape: Shape, start: int) -> Iterator[str]:
        """The names of the nodes of a shape, beginning at a place on their ring: each place gives another order."""
        return (name for _, name in self.ring_members(shape, start))

    def ring_members(self, shape: Shape, start: int) -> Iterator[Member]:
        """The same with how far from the start each stands, which grows."""
        members = self._members.get(shape, [])
        first = bisect_left(members, (start, ""))
        for number in chain(range(first, len(members)), range(first)):
            position, name = members[number]
            yield (position - start) % (1 << 64), name

    def _forget(self, shape: Shape) -> None:
        del self._members[shape]
        for spec in shape.offer:
            offering = self._offering[spec]
            del offering[shape]
            if not offering:
                del self._offering[spec]


def _labels(host: Host) -> list[tuple[str, str]]:
    racks = [] if not host.rack or "rack" in host.labels else [("rack", host.rack)]
    return [*host.labels.items(), *racks]


def _discard(labelled: dict[tuple[str, str], set[str]], label: tuple[str, str], name: str) -> None:
    names = labelled[label]
    names.discard(name)
    if not names:
        del labelled[label]
