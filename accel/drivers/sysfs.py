"""What sysfs says, and the PCI functions of a host.

An attribute of sysfs may be missing, be empty, or refuse to be read (EIO, EINVAL, ENODEV, EACCES) although its mode
says that it can be. None of that stops a discovery: a reading is a value, which says what was read or why not.

A ``PciFunction`` knows what tells one function from another; everything else about it is read when it is asked for, so
that looking over a host with hundreds of functions costs three small files each.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from accel.drivers.base import Host
from accel.model.address import PciAddress

_ADDRESS_NAME = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_HOST_BRIDGE_NAME = re.compile(r"pci[0-9a-f]{4,8}:[0-9a-f]{2}")
_VIRTUAL_FUNCTION_NAME = re.compile(r"virtfn(\d+)")
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_GONE_ID = "ffff"
"""What reading from a function gives when it does not answer on the bus any more: all bits set."""
_READ_LIMIT_BYTES = 4096
"""The kernel gives an attribute one page at most."""
_LARGEST_NUMA_NODE = 0x7FFFFFFF
_WIDTHS_OF_NO_LINK = frozenset({0, 63, 255})


@dataclass(frozen=True, slots=True)
class Reading:
    """What an attribute said: its text, or nothing and why."""

    text: str = ""
    """Without blanks at the ends; empty when the attribute is missing, empty or unreadable."""
    problem: str = ""
    """Why a file that is there could not be read, in the system's words; empty otherwise."""

    @property
    def number(self) -> int | None:
        """The text as an integer, decimal or with ``0x``; None when it is none."""
        try:
            return int(self.text, 0)
        except ValueError:
            return None


def read(path: Path) -> Reading:
    """Read one attribute. Never raises."""
    try:
        content = _read_bytes(path, limit=_READ_LIMIT_BYTES)
    except OSError as error:
        return Reading() if error.errno in _ABSENT else Reading(problem=error.strerror or str(error))
    return Reading(text=content.decode(errors="replace").strip("\0 \t\r\n"))


def _read_bytes(path: Path, *, limit: int) -> bytes:
    """The beginning of a file, in one read as sysfs wants it.

    :raises OSError: it cannot be opened or read
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def read_text(path: Path) -> str:
    """The text of an attribute; empty when it says nothing, for whatever reason."""
    return read(path).text


def read_number(path: Path) -> int | None:
    """The integer that an attribute holds; None when it holds none, for whatever reason."""
    return read(path).number


def read_numa_node(path: Path) -> int | None:
    """The NUMA node in a ``numa_node`` file; None for -1 in any of its disguises, and for no such file."""
    number = read_number(path)
    return number if number is not None and 0 <= number <= _LARGEST_NUMA_NODE else None


def link_name(path: Path) -> str | None:
    """The last part of what a symbolic link points to, whether or not that exists; None when it is no link."""
    parts = link_parts(path)
    return parts[-1] if parts else None


def link_parts(path: Path) -> tuple[str, ...]:
    """The parts of what a symbolic link points to, whether or not that exists; none when it is no link."""
    try:
        return path.readlink().parts
    except OSError:
        return ()


def names_in(path: Path) -> list[str]:
    """The names in a directory, in order; none when it is missing or may not be read."""
    try:
        return sorted(child.name for child in path.iterdir())
    except OSError:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class PciFunction:
    """One PCI function. What is no field is read from sysfs each time it is asked for."""

    address: PciAddress
    path: Path
    """Its directory below ``/sys/devices``."""
    vendor: str
    """Four hex digits in lower case; empty when the host does not say."""
    product: str
    """PCI device id, as ``vendor``."""
    class_code: int | None
    """Base class, sub-class and programming interface in 24 bits; None when the host does not say."""
    problems: tuple[str, ...] = ()
    """Which of the three could not be read, and why."""

    @property
    def ids(self) -> tuple[str, str]:
        """Vendor and product."""
        return self.vendor, self.product

    @property
    def base_class(self) -> int | None:
        """The upper 16 bits of the class code, which say what kind of device it is."""
        return None if self.class_code is None else self.class_code >> 8

    @property
    def is_gone(self) -> bool:
        """Whether it has fallen off the bus and only its directory is left.

        The kernel keeps the ids it read when it found the function, so its configuration space is asked. Not that of
        a virtual function, where all bits set are right, and not that of a sleeping one, which reading would wake.
        """
        if self.vendor == _GONE_ID:
            return True
        if self.physical_function is not None or read_text(self.path / "power/runtime_status") == "suspended":
            return False
        try:
            return _read_bytes(self.path / "config", limit=2) == b"\xff\xff"
        except OSError:
            return False

    @property
    def subsystem_vendor(self) -> str:
        """The board maker's vendor id, as ``vendor``."""
        return _hex_id(read(self.path / "subsystem_vendor"))

    @property
    def subsystem_product(self) -> str:
        """The board maker's id of the board, as ``vendor``."""
        return _hex_id(read(self.path / "subsystem_device"))

    @property
    def kernel_driver(self) -> str | None:
        """The kernel driver bound to it."""
        return link_name(self.path / "driver")

    @property
    def numa_node(self) -> int | None:
        """The NUMA node it hangs on; None when the host does not say."""
        return read_numa_node(self.path / "numa_node")

    @property
    def iommu_group(self) -> int | None:
        """The IOMMU group, whose members go to one workload together; None when the IOMMU is off."""
        name = link_name(self.path / "iommu_group")
        return int(name) if name is not None and name.isdecimal() else None

    @property
    def physical_function(self) -> PciAddress | None:
        """The function that this is a virtual function of; None when it is not virtual."""
        return _address_in(link_name(self.path / "physfn"))

    @property
    def virtual_functions(self) -> tuple[PciAddress, ...]:
        """Its virtual functions, in the kernel's numbering; their addresses need not be consecutive."""
        numbered = (
            (int(match[1]), match[0]) for match in map(_VIRTUAL_FUNCTION_NAME.fullmatch, names_in(self.path)) if match
        )
        found = (_address_in(link_name(self.path / name)) for _, name in sorted(numbered))
        return tuple(address for address in found if address is not None)

    @property
    def total_virtual_functions(self) -> int:
        """How many virtual functions could be made; 0 for a function without SR-IOV."""
        return read_number(self.path / "sriov_totalvfs") or 0

    @property
    def link_speed(self) -> str:
        """The speed the PCIe link runs at, ``16.0 GT/s PCIe``; empty when there is none or it is not known."""
        return self._speed("current_link_speed")

    @property
    def max_link_speed(self) -> str:
        """The greatest speed the PCIe link can run at, as ``link_speed``."""
        return self._speed("max_link_speed")

    def _speed(self, attribute: str) -> str:
        speed = read_text(self.path / attribute)
        return "" if speed.startswith("Unknown") else speed

    @property
    def link_width(self) -> int | None:
        """How many PCIe lanes are in use; None when the link is down or there is none."""
        width = read_number(self.path / "current_link_width")
        return None if width in _WIDTHS_OF_NO_LINK else width

    @property
    def pci_path(self) -> tuple[str, ...]:
        """The host bridge and the bridges above it, the nearest last; empty when the host does not say."""
        parents = self.path.parts[:-1]
        first = next((index for index, name in enumerate(parents) if _HOST_BRIDGE_NAME.fullmatch(name)), len(parents))
        return parents[first:]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyedHost(Host):
    """A host whose PCI functions have been listed already, once for all drivers of a run."""

    functions: tuple[PciFunction, ...]


def surveyed(host: Host) -> SurveyedHost:
    """The host with its PCI functions as they are now."""
    known = {one.name: getattr(host, one.name) for one in fields(Host)}
    return SurveyedHost(**known, functions=tuple(pci_functions(host)))


def pci_functions(host: Host) -> list[PciFunction]:
    """All PCI functions of a host, by address.

    ``/sys/bus/pci`` may not exist, in a container or in a captured tree; the functions are then found below
    their host bridges.
    """
    if isinstance(host, SurveyedHost):
        return list(host.functions)
    directories = _listed_functions(host) or _walk(host.sysfs / "devices")
    return sorted(map(_function, directories), key=lambda function: function.address)


def pci_function(host: Host, address: PciAddress) -> PciFunction | None:
    """The PCI function at an address; None when there is none."""
    return next((function for function in pci_functions(host) if function.address == address), None)


def _listed_functions(host: Host) -> list[Path]:
    bus = host.sysfs / "bus/pci/devices"
    return [_followed(host, bus / name) for name in names_in(bus) if _ADDRESS_NAME.fullmatch(name)]


def _followed(host: Host, link: Path) -> Path:
    """Where a link of the bus points to, an absolute one below the host's root; the path itself when it is no link."""
    try:
        target = link.readlink()
    except OSError:
        return link
    if target.is_absolute():
        return host.root.joinpath(*target.parts[1:])
    return Path(os.path.normpath(link.parent / target))


def _walk(directory: Path) -> Iterator[Path]:
    """The functions in and below a directory of sysfs. Links are not followed: sysfs has loops of them."""
    for entry in _directories(directory):
        if _ADDRESS_NAME.fullmatch(entry.name):
            yield Path(entry.path)
            yield from _walk(Path(entry.path))
        elif _HOST_BRIDGE_NAME.fullmatch(entry.name):
            yield from _walk(Path(entry.path))


def _directories(path: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _function(path: Path) -> PciFunction:
    readings = {name: read(path / name) for name in ("vendor", "device", "class")}
    return PciFunction(
        address=PciAddress.parse(path.name),
        path=path,
        vendor=_hex_id(readings["vendor"]),
        product=_hex_id(readings["device"]),
        class_code=readings["class"].number,
        problems=tuple(f"{name}: {reading.problem}" for name, reading in readings.items() if reading.problem),
    )


def _hex_id(reading: Reading) -> str:
    number = reading.number
    return "" if number is None else f"{number:04x}"


def _address_in(name: str | None) -> PciAddress | None:
    return PciAddress.read(name or "")
