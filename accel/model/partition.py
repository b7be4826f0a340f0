"""What parts a device can be cut into, as data: the schemes of MIG, of AMD's compute partitions, of virtual functions.

A device is a row of slices. A part of a profile takes some slices side by side, at places that the maker fixed; and it
takes of what the device has in small numbers, such as its optical flow engine. Which parts can be there at once follows
from these two: ``accel.model.layout`` works it out, for every scheme alike.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from accel.errors import InvalidValue

WHOLE = "whole"
"""The layout of a device that is not cut: it is offered as one."""

Layout = Mapping[str, int]
"""How many parts of which profile; nothing: the device is whole."""


class Place(NamedTuple):
    """Slices side by side."""

    start: int
    size: int

    @property
    def slices(self) -> frozenset[int]:
        """Each of them."""
        return frozenset(range(self.start, self.start + self.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of part."""

    name: str
    most: int
    """How many of it a device can have, if it has nothing else."""
    starts: tuple[int, ...]
    """Where a part of it can begin, lowest first."""
    size: int
    """How many slices it takes: of memory, where memory and processors are cut apart."""
    takes: Mapping[str, int] = field(default_factory=dict)
    """What else it takes of the device: ``compute``, ``decoders``, ``ofa`` …"""

    @property
    def places(self) -> tuple[Place, ...]:
        """Where a part of it can be."""
        return tuple(Place(start, self.size) for start in self.starts)

    def __str__(self) -> str:
        starts = ",".join(map(str, self.starts))
        return " ".join([self.name, f"{self.most}x", f"{starts}:{self.size}", *_pairs(self.takes)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """All kinds of parts that a device can have."""

    name: str
    """``mig``, ``compute_partition``, ``sriov`` …"""
    profiles: tuple[Profile, ...]
    is_uniform: bool = False
    """Whether all parts are of one profile, as many as there can be of it: one switch that cuts the whole device."""

    @property
    def slices(self) -> int:
        """How many slices the device has, as far as any part can reach."""
        return max((place.start + place.size for profile in self.profiles for place in profile.places), default=0)

    @property
    def has(self) -> Mapping[str, int]:
        """How much the device has of what parts take: at least as much as all parts of one profile together."""
        most: dict[str, int] = {}
        for profile in self.profiles:
            for what, count in profile.takes.items():
                most[what] = max(most.get(what, 0), count * profile.most)
        return most

    def profile(self, name: str) -> Profile | None:
        """The profile of a name."""
        return next((profile for profile in self.profiles if profile.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part that a device has."""

    id: str
    """What the device knows it by while it exists: the number of its GPU instance."""
    profile: str
    start: int

    def __str__(self) -> str:
        return f"{self.id}={self.profile}@{self.start}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a device can be cut, and how it is cut now."""

    scheme: Scheme
    parts: tuple[Part, ...] | None
    """None: it is whole."""

    @property
    def layout(self) -> Layout:
        """How many parts of which profile it has."""
        return Counter(part.profile for part in self.parts or ())


def layout_text(layout: Layout) -> str:
    """``1g.5gb=2, 3g.20gb=1``; ``whole`` for a device that is not cut."""
    return ", ".join(f"{name}={count}" for name, count in sorted(layout.items()) if count) or WHOLE


def read_layout(texts: Iterable[str]) -> Layout:
    """A layout from ``PROFILE=COUNT``, several of them in one text or in many; ``whole`` for none at all.

    :raises InvalidValue: a text that is not that, or a profile named twice
    """
    layout: dict[str, int] = {}
    for text in texts:
        for item in filter(None, (item.strip() for item in text.split(","))):
            if item == WHOLE:
                continue
            name, _, count = item.rpartition("=")
            if not name or not count.isdecimal() or not 0 < int(count) <= _MOST_PARTS:
                raise InvalidValue("layout", item, f"PROFILE=COUNT with a count from 1 to {_MOST_PARTS}, or {WHOLE}")
            if name in layout:
                raise InvalidValue("layout", item, "a profile that is named once")
            layout[name] = int(count)
    return layout


_MOST_PARTS = 4096


def _pairs(takes: Mapping[str, int]) -> Iterator[str]:
    return (f"{what}={count}" for what, count in sorted(takes.items()))
