"""NVIDIA vGPU on virtual functions, as newer kernels have it: a vGPU type is written into each function by its number.

The vGPU manager (17.0 and later, on Linux 6.8 and later) makes no mediated devices. Each virtual function of a card has
``nvidia/creatable_vgpu_types``, lines of number and name, and ``nvidia/current_vgpu_type``, the number of the type that
it has or 0. A function without a type can be given to nobody; so types are what such a card is cut into.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, read_text
from accel.errors import AccelError, ActFailed, ActNotSupported, ActRefused, LayoutImpossible, NotVerified
from accel.model.address import PciAddress
from accel.model.layout import Change, Impossible, change
from accel.model.partition import Cut, Layout, Part, Profile, Scheme

VGPU = "vgpu"
"""The name of the scheme."""

_GIB = 1 << 30
_TYPE = re.compile(r"\s*(\d+)\s*:\s*(\S.*)")
_MAKERS_WORD = re.compile(r"^(NVIDIA|GRID)\s+")
_GIGABYTES = re.compile(r"-(\d+)[A-Z]\d*$")
_NONE = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class VgpuFunction:
    """A virtual function that has a vGPU type, or can get one."""

    function: PciFunction
    """The card's."""
    address: PciAddress
    creatable: Mapping[str, str]
    """The numbers of the types that it can get now, by their names."""
    current: str
    """The number of its type; ``0``: none."""


def functions_of(card: PciFunction) -> tuple[VgpuFunction, ...]:
    """The virtual functions of a card that take vGPU types, in their order."""
    found = (_function(card, address) for address in card.virtual_functions)
    return tuple(function for function in found if function is not None)


def _function(card: PciFunction, address: PciAddress) -> VgpuFunction | None:
    directory = card.path.parent / str(address) / "nvidia"
    current = read_text(directory / "current_vgpu_type")
    if not current.isdecimal():
        return None
    lines = map(_TYPE.fullmatch, read_text(directory / "creatable_vgpu_types").splitlines())
    creatable = {type_name(line[2]): line[1] for line in lines if line}
    return VgpuFunction(function=card, address=address, creatable=creatable, current=current)


def type_name(text: str) -> str:
    """``H200X-18C`` from ``NVIDIA H200X-18C``."""
    return "-".join(_MAKERS_WORD.sub("", text.strip()).split())


def types_of(functions: Sequence[VgpuFunction]) -> Mapping[str, str]:
    """The names of all types that any function can get, or has, by their numbers."""
    known = {number: name for function in functions for name, number in function.creatable.items()}
    had = (function.current for function in functions if function.current != _NONE)
    return known | {number: f"vgpu-{number}" for number in had if number not in known}


def cut_of(functions: Sequence[VgpuFunction], memory_bytes: int | None) -> Cut | None:
    """What the functions can be, and what they are; None where there is nothing to choose from.

    Which types go together is the vGPU manager's rule, which it does not tell; that they fit the card's memory is ours.
    """
    types = types_of(functions)
    if not types:
        return None
    profiles = tuple(_profile(name, len(functions), memory_bytes) for name in sorted(set(types.values())))
    parts = tuple(
        Part(id=str(number), profile=types[function.current], start=number)
        for number, function in enumerate(functions)
        if function.current != _NONE
    )
    return Cut(scheme=Scheme(name=VGPU, profiles=profiles), parts=parts or None)


def _profile(name: str, functions: int, memory_bytes: int | None) -> Profile:
    size = _GIGABYTES.search(name)
    gigabytes = int(size[1]) if size else 0
    fit = max(1, -(-(memory_bytes or 0) // _GIB) // gigabytes) if gigabytes and memory_bytes else functions
    takes = {"gigabytes": gigabytes} if gigabytes else {}
    return Profile(name=name, most=min(functions, fit), starts=tuple(range(functions)), size=1, takes=takes)


def cut(host: Host, card: PciFunction, memory_bytes: int | None, layout: Layout, progress: Progress) -> None:
    """Give virtual functions these types, the fewest of them changed.

    :param layout: nothing: none has any
    :raises ActNotSupported: there are no types to choose from
    :raises LayoutImpossible: they cannot have these
    :raises ActRefused: the vGPU manager refuses, and the types are as they were
    :raises ActFailed: it refuses, and they are not as they were
    """
    before = functions_of(card)
    known = cut_of(before, memory_bytes)
    if known is None:
        raise ActNotSupported(f"the virtual functions of {card.address} tell no vGPU type that they can get")
    found = change(known, layout)
    if isinstance(found, Impossible):
        raise LayoutImpossible(found.text, found.rule)
    try:
        for done, (place, number) in enumerate(_writes(found, types_of(before))):
            progress(f"giving {before[place].address} vGPU type {number}", done / (len(found.made) + 1))
            _write(host, before[place], number)
        now = cut_of(functions_of(card), memory_bytes)
        if now is None or dict(now.layout) != dict(layout):
            raise NotVerified(f"the virtual functions of {card.address} have other types than were given to them")
    except AccelError as error:
        _undo(host, card, before, error)


def _writes(found: Change, types: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    numbers = {name: number for number, name in types.items()}
    taken_away = ((part.start, _NONE) for part in found.destroyed)
    return chain(taken_away, ((new.place.start, numbers[new.profile]) for new in found.made))


def _undo(host: Host, card: PciFunction, before: Sequence[VgpuFunction], error: AccelError) -> None:
    was = [function.current for function in before]
    for wanted in (_NONE, None):  # what was made first: it may be in the way of what was there
        for function, number in zip(functions_of(card), was, strict=False):
            if function.current != number and (wanted is None or function.current != _NONE):
                try:
                    _write(host, function, wanted or number)
                except AccelError:
                    continue
    if [function.current for function in functions_of(card)] == was:
        raise ActRefused(f"{error}; the vGPU types are as they were") from error
    raise ActFailed(f"{error}; the vGPU types of {card.address} are not as they were") from error


def _write(host: Host, function: VgpuFunction, number: str) -> None:
    path = function.function.path.parent / str(function.address) / "nvidia/current_vgpu_type"
    try:
        host.privileged.write(path, number)
    except OSError as error:
        raise ActRefused(
            f"{function.address} does not take vGPU type {number}: {error.strerror}",
            "a guest may use it, or the type does not go with those of the other functions: see the kernel log",
        ) from error
