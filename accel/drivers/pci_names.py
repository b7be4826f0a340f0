"""The names of PCI devices, from the list of ids that the host has, if it has one."""

from collections.abc import Collection
from pathlib import Path

from accel.drivers.base import Host

Ids = tuple[str, str]
"""Vendor and device id, four hex digits each in lower case."""

_PLACES = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "usr/share/pci.ids")
"""Where Debian, Fedora and the others keep it."""


def pci_names(host: Host, wanted: Collection[Ids]) -> dict[Ids, str]:
    """The names of those devices that the host's list knows.

    The list is read through once and nothing but what is wanted is kept of it: it has some 40,000 lines.
    """
    for place in _PLACES:
        try:
            return _look_up(host.root / place, frozenset(wanted)) if wanted else {}
        except OSError:
            continue
    return {}


def _look_up(path: Path, wanted: frozenset[Ids]) -> dict[Ids, str]:
    """Vendors start a line, their devices follow with one tab before them, boards with two.

    :raises OSError: the list cannot be read
    """
    vendors = {vendor for vendor, _ in wanted}
    names: dict[Ids, str] = {}
    vendor = ""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line[0] != "\t":
                vendor = line[:4]
            elif vendor in vendors and (vendor, line[1:5]) in wanted:
                names[vendor, line[1:5]] = line[5:].strip()
    return names
