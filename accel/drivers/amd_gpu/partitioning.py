"""Compute partitions of AMD GPUs: one switch that cuts the whole card into so many equal parts.

The modes are those of the kernel's attribute ``current_compute_partition``: SPX is the whole card, DPX, TPX and QPX cut
it in two, three and four, CPX into as many parts as it has compute dies (XCC), of which KFD tells each node's number.
"""

import errno
from collections.abc import Mapping, Sequence

from accel.drivers.acts import Progress
from accel.drivers.amd_gpu.kfd import Node
from accel.drivers.base import Host
from accel.drivers.sysfs import PciFunction, read_text
from accel.errors import ActNotSupported, ActRefused, DeviceInUse, LayoutImpossible, NotVerified
from accel.model.layout import Impossible, change
from accel.model.partition import Cut, Layout, Part, Profile, Scheme

COMPUTE_PARTITION = "compute_partition"
"""The name of the scheme."""

_WHOLE, _EACH_DIE = "SPX", "CPX"
_PARTS = {"DPX": 2, "TPX": 3, "QPX": 4}
_CURRENT, _AVAILABLE = "current_compute_partition", "available_compute_partition"
_TIMEOUT_SECONDS = 60.0


def cut_of(function: PciFunction, nodes: Sequence[Node]) -> Cut | None:
    """What a card can be cut into, and what it is; None for one that has one mode only, or does not say."""
    mode = read_text(function.path / _CURRENT)
    dies = sum(node.dies for node in nodes)
    profiles = tuple(_profiles(read_text(function.path / _AVAILABLE), dies))
    scheme = Scheme(name=COMPUTE_PARTITION, profiles=profiles, is_uniform=True)
    profile = scheme.profile(mode)
    if not profiles or (profile is None and mode != _WHOLE):
        return None
    if profile is None:
        return Cut(scheme=scheme, parts=None)
    parts = tuple(Part(id=str(number), profile=mode, start=start) for number, start in enumerate(profile.starts))
    return Cut(scheme=scheme, parts=parts)


def cut(host: Host, function: PciFunction, before: Cut | None, layout: Layout, progress: Progress) -> None:
    """Have exactly these parts.

    :param layout: nothing: the whole card
    :raises ActNotSupported: it has one mode only
    :raises LayoutImpossible: it cannot have these parts
    :raises DeviceInUse: a process computes on it
    """
    if before is None:
        raise ActNotSupported(f"{function.address} has no compute partitions, or does not say how many dies it has")
    found = change(before, layout)
    if isinstance(found, Impossible):
        raise LayoutImpossible(found.text, found.rule)
    mode = next(iter(layout), _WHOLE)
    if found.is_nothing:
        return
    progress(f"switching compute partitions to {mode}", 0.0)
    _write(host, function, mode)
    progress("looking at what there is now", 0.5)
    now = read_text(function.path / _CURRENT)
    if now != mode:
        raise NotVerified(
            f"the kernel took compute partition {mode} for {function.address}, and says {now or 'nothing'}"
        )


def _profiles(available: str, dies: int) -> Sequence[Profile]:
    counts: Mapping[str, int] = {**_PARTS, _EACH_DIE: dies}
    modes = [mode.strip() for mode in available.split(",")]
    return [
        Profile(
            name=mode, most=counts[mode], starts=tuple(range(0, dies, dies // counts[mode])), size=dies // counts[mode]
        )
        for mode in modes
        if mode in counts and dies > 1 and dies % counts[mode] == 0
    ]


def _write(host: Host, function: PciFunction, mode: str) -> None:
    path = function.path / _CURRENT
    try:
        host.privileged.write(path, mode, timeout_seconds=_TIMEOUT_SECONDS)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise DeviceInUse(
                f"{function.address} is used by a process: stop what computes on it (fuser /dev/kfd)"
            ) from error
        raise ActRefused(
            f"the kernel refuses compute partition {mode} for {function.address}: {error.strerror}",
            "its memory partition may not go with it: see available_memory_partition",
        ) from error
