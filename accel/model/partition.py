"""What parts a device can be cut into, as data: the schemes of MIG, of AMD's compute partitions, of virtual functions.

A device is a row of slices. A part of a profile takes some slices side by side, at places that the maker fixed; and it
takes of what the device has in small numbers, such as its optical flow engine. Which parts can be there at once follows
from these two: ``accel.model.layout`` works it out, for every scheme alike.

A driver tells the scheme of a device and what it is cut into as two facts of the device, in words that a person can
read, so that the control plane can plan without asking the node::

    partition_scheme    mig
    partition_profiles  1g.5gb 7x 0,1,2,3,4,5,6:1 compute=1; 3g.20gb 2x 0,4:4 compute=3 decoders=2; …
    partition_layout    1=3g.20gb@0; 7=1g.5gb@4
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from accel.errors import InvalidValue

SCHEME_FACT = "partition_scheme"
PROFILES_FACT = "partition_profiles"
LAYOUT_FACT = "partition_layout"
WHOLE = "whole"
"""The layout of a device that is not cut: it is offered as one."""

Layout = Mapping[str, int]
"""How many parts of which profile; nothing: the device is whole."""

_PROFILE = re.compile(r"(?P<name>\S+) (?P<most>\d+)x (?P<starts>\d+(,\d+)*):(?P<size>\d+)(?P<takes>( \w+=\d+)*)")
_PART = re.compile(r"(?P<id>[^=\s]+)=(?P<profile>[^@\s]+)@(?P<start>\d+)")


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


def facts(cut: Cut) -> Mapping[str, str]:
    """What a device tells of itself, for its ``std_board_info``."""
    layout = WHOLE if cut.parts is None else "; ".join(map(str, cut.parts))
    return {
        SCHEME_FACT: cut.scheme.name + (" uniform" if cut.scheme.is_uniform else ""),
        PROFILES_FACT: "; ".join(map(str, cut.scheme.profiles)),
        LAYOUT_FACT: layout,
    }


def read_facts(told: Mapping[str, str]) -> Cut | None:
    """What a device told of itself; None when it told nothing, or what nobody understands."""
    name, _, more = told.get(SCHEME_FACT, "").partition(" ")
    profiles = tuple(_profiles(told.get(PROFILES_FACT, "")))
    if not name or not profiles:
        return None
    layout = told.get(LAYOUT_FACT, WHOLE)
    scheme = Scheme(name=name, profiles=profiles, is_uniform=more == "uniform")
    return Cut(scheme=scheme, parts=None if layout == WHOLE else tuple(_parts(layout)))


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


def _profiles(text: str) -> Iterator[Profile]:
    for item in text.split("; "):
        found = _PROFILE.fullmatch(item)
        if found:
            yield Profile(
                name=found["name"],
                most=int(found["most"]),
                starts=tuple(map(int, found["starts"].split(","))),
                size=int(found["size"]),
                takes={what: int(count) for what, _, count in (pair.partition("=") for pair in found["takes"].split())},
            )


def _parts(text: str) -> Iterator[Part]:
    for item in text.split("; "):
        found = _PART.fullmatch(item)
        if found:
            yield Part(id=found["id"], profile=found["profile"], start=int(found["start"]))
