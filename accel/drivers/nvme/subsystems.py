"""The NVMe drives that the kernel drives, as sysfs shows them.

Names are no guide: ``nvme1n1`` is a namespace of the subsystem nvme-subsys1, not of the controller nvme1, and
``nvme1c2n1`` is no namespace but one way to ``nvme1n1``, through the controller nvme2.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import link_name, names_in, read_numa_node, read_number, read_text
from accel.drivers.temperature import monitored
from accel.model.address import PciAddress

_CONTROLLER_NAME = re.compile(r"nvme\d+")
_SENSORS_NAME = re.compile(r"hwmon\d+")
_NAMESPACE_NAME = re.compile(r"nvme\d+n\d+")
NOWHERE = PciAddress(0, 0, 0, 0)
"""What stands for no address where things are put in order."""

_SECTOR_BYTES = 512
"""The unit of ``size``, whatever the size of the disk's own blocks."""
_DISCOVERY = "discovery"
"""The type of a controller that knows where drives are and has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """One way to a drive. A text is empty when the host does not say it."""

    name: str
    """The kernel's name, ``nvme0``; another one after the next boot."""
    transport: str
    """``pcie``, ``tcp``, ``apple-nvme`` …"""
    address: PciAddress | None
    """None when it is not on PCI."""
    state: str
    """``live``, ``resetting``, ``connecting``, ``deleting``, ``dead`` …"""
    number: int | None
    """What the drive calls it, its controller id; None when the host does not say it."""
    numa_node: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A disk on a drive."""

    name: str
    number: int
    """What the drive calls it, its namespace id."""
    directory: Path
    capacity_bytes: int | None
    block_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A subsystem with its controllers. A text is empty when the host does not say it."""

    serial: str
    model: str
    firmware: str
    qualified_name: str
    """The NVMe qualified name (NQN), unique in the world if the maker did it right."""
    controllers: tuple[Controller, ...]
    """By address; those that are not on PCI last, by name."""
    namespaces: tuple[Namespace, ...]


def drives(host: Host) -> list[Drive]:
    """The drives of a host, in the order of the kernel's names."""
    controllers = host.sysfs / "class/nvme"
    subsystems = host.sysfs / "class/nvme-subsystem"
    found: list[Drive] = []
    seen: set[str] = set()
    for subsystem in (subsystems / name for name in names_in(subsystems)):
        members = [name for name in names_in(subsystem) if _CONTROLLER_NAME.fullmatch(name)]
        seen.update(members)
        found += _drive(subsystem, [controllers / name for name in members])
    for name in names_in(controllers):
        if _CONTROLLER_NAME.fullmatch(name) and name not in seen:
            found += _drive(controllers / name, [controllers / name])
    return found


def distinct(namespaces: Sequence[Namespace]) -> Sequence[Namespace]:
    """Each namespace once: without multipathing a kernel shows it once for each controller."""
    return list({namespace.number: namespace for namespace in reversed(namespaces)}.values())[::-1]


def sensor_directories(host: Host, controller: Controller) -> list[Path]:
    """Where the kernel's hardware monitoring shows the sensors of a controller: below it, one level deeper on some."""
    directory = host.sysfs / "class/nvme" / controller.name
    beside = [directory / name for name in names_in(directory) if _SENSORS_NAME.fullmatch(name)]
    return beside or list(monitored(directory))


def _drive(directory: Path, controllers: list[Path]) -> Iterator[Drive]:
    """The drive that a directory describes, its subsystem's or its only controller's; none for a mere discovery."""
    if not controllers or all(read_text(path / "cntrltype") == _DISCOVERY for path in controllers):
        return
    places = [directory, *controllers]
    yield Drive(
        serial=_first(places, "serial"),
        model=_first(places, "model"),
        firmware=_first(places, "firmware_rev"),
        qualified_name=_first(places, "subsysnqn"),
        controllers=tuple(sorted(map(_controller, controllers), key=_order)),
        namespaces=tuple(_namespaces(places)),
    )


def _first(places: list[Path], attribute: str) -> str:
    return next(filter(None, (read_text(place / attribute) for place in places)), "")


def _order(controller: Controller) -> tuple[bool, PciAddress, str]:
    return controller.address is None, controller.address or NOWHERE, controller.name


def _controller(path: Path) -> Controller:
    return Controller(
        name=path.name,
        transport=read_text(path / "transport"),
        address=_address(path),
        state=read_text(path / "state"),
        number=read_number(path / "cntlid"),
        numa_node=read_numa_node(path / "numa_node"),
    )


def _address(path: Path) -> PciAddress | None:
    """Where the controller is on PCI. The attribute holds something else for other transports: ``traddr=…``."""
    return PciAddress.read(read_text(path / "address")) or PciAddress.read(link_name(path / "device") or "")


def _namespaces(places: list[Path]) -> Iterator[Namespace]:
    """Namespaces, each once: with multipathing they are the subsystem's, else the controllers'."""
    found = {name: place / name for place in places for name in names_in(place) if _NAMESPACE_NAME.fullmatch(name)}
    for name, directory in sorted(found.items(), key=lambda item: _number(*item)):
        sectors = read_number(directory / "size")
        yield Namespace(
            name=name,
            number=_number(name, directory),
            directory=directory,
            capacity_bytes=None if sectors is None else sectors * _SECTOR_BYTES,
            block_bytes=read_number(directory / "queue/logical_block_size"),
        )


def _number(name: str, directory: Path) -> int:
    number = read_number(directory / "nsid")
    return int(name.rpartition("n")[2]) if number is None else number
