"""What a device tells of being cut into parts, as facts of its ``std_board_info`` in words that a person can read.

So the control plane can plan without asking the node. Profiles are named by the table that has them, where one has::

    partition_scheme    mig a100-40gb
    partition_layout    1=3g.20gb@0; 7=1g.5gb@4

and else told one by one::

    partition_scheme    compute_partition uniform
    partition_profiles  SPX 1x 0:8; DPX 2x 0,4:4; CPX 8x 0,1,2,3,4,5,6,7:1
    partition_layout    0=SPX@0
"""

import re
from collections.abc import Iterator, Mapping

from accel.model.mig import MIG, table_of, tabled
from accel.model.partition import WHOLE, Cut, Part, Profile, Scheme

SCHEME_FACT = "partition_scheme"
PROFILES_FACT = "partition_profiles"
LAYOUT_FACT = "partition_layout"

_UNIFORM = "uniform"
_PROFILE = re.compile(r"(?P<name>\S+) (?P<most>\d+)x (?P<starts>\d+(,\d+)*):(?P<size>\d+)(?P<takes>( \w+=\d+)*)")
_PART = re.compile(r"(?P<id>[^=\s]+)=(?P<profile>[^@\s]+)@(?P<start>\d+)")


def facts(cut: Cut) -> Mapping[str, str]:
    """What a device tells of itself."""
    return {**_scheme_facts(cut.scheme), LAYOUT_FACT: parts_text(cut)}


def parts_text(cut: Cut) -> str:
    """What a device is cut into."""
    return WHOLE if cut.parts is None else "; ".join(map(str, cut.parts))


def read_facts(told: Mapping[str, str]) -> Cut | None:
    """What a device told of itself; None when it told nothing, or what nobody understands."""
    scheme = _scheme(told)
    return Cut(scheme=scheme, parts=read_parts(told.get(LAYOUT_FACT, WHOLE))) if scheme else None


def read_parts(text: str) -> tuple[Part, ...] | None:
    """What ``parts_text`` wrote."""
    return None if text == WHOLE else tuple(_parts(text))


def _scheme_facts(scheme: Scheme) -> Mapping[str, str]:
    table = table_of(scheme)
    if table:
        return {SCHEME_FACT: f"{scheme.name} {table}"}
    profiles = "; ".join(map(str, scheme.profiles))
    return {SCHEME_FACT: scheme.name + (f" {_UNIFORM}" if scheme.is_uniform else ""), PROFILES_FACT: profiles}


def _scheme(told: Mapping[str, str]) -> Scheme | None:
    name, _, more = told.get(SCHEME_FACT, "").partition(" ")
    if name == MIG and more:
        return tabled(more)
    profiles = tuple(_profiles(told.get(PROFILES_FACT, "")))
    return Scheme(name=name, profiles=profiles, is_uniform=more == _UNIFORM) if name and profiles else None


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
