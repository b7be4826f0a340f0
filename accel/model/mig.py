"""NVIDIA's MIG profiles as data, for GPUs that cannot tell them: those whose MIG mode is off.

Figures are those of NVIDIA's Multi-Instance GPU User Guide, of the tables of supported profiles and the listings of
profiles and placements by ``nvidia-smi mig -lgip`` and ``-lgipp``. Slices are of memory: a GPU of seven compute slices
has eight, and one with four has four. Where a GPU is in MIG mode, what NVML says of it goes before these tables.
Models whose places are not published are not among them: they are planned for once their mode is on.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from accel.model.partition import Profile, Scheme

MIG = "mig"
"""The name of the scheme."""

_GIB = 1 << 30
_NEAR = 0.04
"""How far the memory that a GPU reports may be from the table's, as a part of it: some is kept by the driver."""

Takes = Mapping[str, int]


class _Kind(NamedTuple):
    """A profile without its name, which depends on the memory."""

    compute: int
    eighths: int
    """How many slices of memory."""
    extra: str
    most: int
    starts: Sequence[int]
    takes: Takes


def _kind(compute: int, size: int, most: int, starts: Sequence[int], *, extra: str = "", **takes: int) -> _Kind:
    return _Kind(compute, size, extra, most, tuple(starts), {"compute": compute, **takes})


_ANY = range(7)
_PAIRS = (0, 2, 4)
_HALVES = (0, 4)

_AMPERE = (
    _kind(1, 1, 7, _ANY),
    _kind(1, 1, 1, _ANY, extra="+me", decoders=1, jpeg=1, ofa=1),
    _kind(1, 2, 4, (0, 2, 4, 6), decoders=1),
    _kind(2, 2, 3, _PAIRS, decoders=1),
    _kind(3, 4, 2, _HALVES, decoders=2),
    _kind(4, 4, 1, (0,), decoders=2),
    _kind(7, 8, 1, (0,), decoders=5, jpeg=1, ofa=1),
)
_HOPPER = (
    _kind(1, 1, 7, _ANY, decoders=1, jpeg=1),
    _kind(1, 1, 1, _ANY, extra="+me", decoders=1, jpeg=1, ofa=1),
    _kind(1, 2, 4, (0, 2, 4, 6), decoders=1, jpeg=1),
    _kind(2, 2, 3, _PAIRS, decoders=2, jpeg=2),
    _kind(3, 4, 2, _HALVES, decoders=3, jpeg=3),
    _kind(4, 4, 1, (0,), decoders=4, jpeg=4),
    _kind(7, 8, 1, (0,), decoders=7, jpeg=7, ofa=1),
)
_BLACKWELL = (
    _kind(1, 1, 7, _ANY, decoders=1, jpeg=1),
    _kind(1, 1, 1, _ANY, extra="+me", decoders=1, jpeg=1, ofa=1),
    _kind(1, 2, 4, (0, 2, 4, 6), decoders=1, jpeg=1),
    _kind(2, 2, 3, _PAIRS, decoders=1, jpeg=1),
    _kind(3, 4, 2, _HALVES, decoders=1, jpeg=1),
    _kind(4, 4, 1, (0,), decoders=1, jpeg=1),
    _kind(7, 8, 1, (0,), decoders=1, jpeg=1, ofa=1),
)
_A30 = (
    _kind(1, 1, 4, range(4)),
    _kind(1, 1, 1, range(4), extra="+me", decoders=1, jpeg=1, ofa=1),
    _kind(2, 2, 2, (0, 2), decoders=2),
    _kind(2, 2, 1, (0, 2), extra="+me", decoders=2, jpeg=1, ofa=1),
    _kind(4, 4, 1, (0,), decoders=4, jpeg=1, ofa=1),
)
_RTX_PRO_6000 = (
    _kind(1, 1, 4, range(4), decoders=1, encoders=1, jpeg=1),
    _kind(1, 1, 1, range(4), extra="+me", decoders=1, encoders=1, jpeg=1, ofa=1),
    _kind(1, 1, 4, range(4), extra="+gfx", decoders=1, encoders=1, jpeg=1),
    _kind(1, 1, 1, range(4), extra="+me.all", decoders=4, encoders=4, jpeg=4, ofa=1),
    _kind(1, 1, 4, range(4), extra="-me"),
    _kind(2, 2, 2, (0, 2), decoders=2, encoders=2, jpeg=2),
    _kind(2, 2, 2, (0, 2), extra="+gfx", decoders=2, encoders=2, jpeg=2),
    _kind(2, 2, 1, (0, 2), extra="+me.all", decoders=4, encoders=4, jpeg=4, ofa=1),
    _kind(2, 2, 2, (0, 2), extra="-me"),
    _kind(4, 4, 1, (0,), decoders=4, encoders=4, jpeg=4, ofa=1),
    _kind(4, 4, 1, (0,), extra="+gfx", decoders=4, encoders=4, jpeg=4, ofa=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """GPUs of one size."""

    table: str
    """What the table is called."""
    name: str
    """What their names match."""
    gib: int
    """The memory that is nominal."""
    kinds: Sequence[_Kind]
    gigabytes: Mapping[int, int]
    """What the names of profiles say of so many slices of memory."""

    @property
    def scheme(self) -> Scheme:
        return Scheme(name=MIG, profiles=tuple(map(self._profile, self.kinds)))

    def _profile(self, kind: _Kind) -> Profile:
        name = f"{kind.compute}g.{self.gigabytes[kind.eighths]}gb{kind.extra}"
        return Profile(name=name, most=kind.most, starts=tuple(kind.starts), size=kind.eighths, takes=kind.takes)


def _sizes(one: int, two: int, four: int, eight: int) -> Mapping[int, int]:
    return {1: one, 2: two, 4: four, 8: eight}


_MODELS = (
    _Model(table="a100-40gb", name=r"A[18]00", gib=40, kinds=_AMPERE, gigabytes=_sizes(5, 10, 20, 40)),
    _Model(table="a100-80gb", name=r"A[18]00", gib=80, kinds=_AMPERE, gigabytes=_sizes(10, 20, 40, 80)),
    _Model(table="a30-24gb", name=r"A30", gib=24, kinds=_A30, gigabytes={1: 6, 2: 12, 4: 24}),
    _Model(table="h100-80gb", name=r"H[18]00", gib=80, kinds=_HOPPER, gigabytes=_sizes(10, 20, 40, 80)),
    _Model(table="h100-94gb", name=r"H[18]00", gib=94, kinds=_HOPPER, gigabytes=_sizes(12, 24, 47, 94)),
    _Model(table="h100-96gb", name=r"H100|GH200|H20", gib=96, kinds=_HOPPER, gigabytes=_sizes(12, 24, 48, 96)),
    _Model(table="h200-141gb", name=r"H200|GH200|H20", gib=141, kinds=_HOPPER, gigabytes=_sizes(18, 35, 71, 141)),
    _Model(table="b200-180gb", name=r"B200", gib=180, kinds=_BLACKWELL, gigabytes=_sizes(23, 45, 90, 180)),
    _Model(table="gb200-186gb", name=r"GB200", gib=186, kinds=_BLACKWELL, gigabytes=_sizes(23, 47, 93, 186)),
    _Model(table="b300-269gb", name=r"G?B300", gib=269, kinds=_BLACKWELL, gigabytes=_sizes(34, 67, 135, 269)),
    _Model(
        table="rtx-pro-6000-96gb", name=r"RTX PRO 6000.*", gib=96, kinds=_RTX_PRO_6000, gigabytes={1: 24, 2: 48, 4: 96}
    ),
)


@cache
def mig_scheme(model: str, memory_bytes: int) -> Scheme | None:
    """The MIG profiles of a GPU; None for one that has none, or that the tables do not know.

    :param model: its name by NVML, ``NVIDIA A100-SXM4-40GB``
    :param memory_bytes: the memory that it reports
    """
    gib = memory_bytes / _GIB
    named = (found for found in _MODELS if re.search(rf"\b({found.name})\b", model))
    nearest = min(named, key=lambda found: abs(found.gib - gib), default=None)
    if nearest is None or abs(nearest.gib - gib) > _NEAR * nearest.gib:
        return None
    return tabled(nearest.table)


@cache
def tabled(table: str) -> Scheme | None:
    """The profiles of a table; None for one that there is not, as when whoever names it is of a later version."""
    return next((found.scheme for found in _MODELS if found.table == table), None)


def table_of(scheme: Scheme) -> str:
    """The table that has exactly the profiles of a scheme; empty where none has."""
    own = next((found.table for found in _MODELS if tabled(found.table) is scheme), "")
    return own or _TABLES.get(_key(scheme), "")  # the key is dear, and most schemes are tables of ours


def gigabytes_of(memory_bytes: int, card_memory_bytes: int) -> int:
    """The gigabytes that NVIDIA's name of a part says.

    A part has so many eighths of its card's memory, some of it reserved; the name gives the eighths of the card's
    nominal gigabytes, which the size of the part alone would not round to.
    """
    eighths = math.ceil(8 * memory_bytes / card_memory_bytes)
    return math.floor(eighths * math.ceil(card_memory_bytes / _GIB) / 8 + 0.5)  # round() would make 22.5 to 22


def _key(scheme: Scheme) -> tuple[str, ...]:
    return scheme.name, *sorted(map(str, scheme.profiles))


_TABLES = {_key(found.scheme): found.table for found in _MODELS}
