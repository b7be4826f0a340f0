"""What Intel's kernel drivers show of an FPGA: its management engine (FME), its regions, and the ports to them.

The kernel's driver (DFL) and the older one from outside of the kernel show the same in different places. Directories
that no device class links to are left over from nothing that runs, and are not looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from accel.drivers.base import Host
from accel.drivers.sysfs import link_parts, names_in, read_number, read_text
from accel.model.address import PciAddress
from accel.model.image import normal_id

_FME_REGION = re.compile(r"dfl-fme-region\.(\d+)")
_BMC_VERSIONS = ("bmc_version", "bmcfw_version")
_ON_THE_WAY_TO_BMC = re.compile("dfl|spi")
_BMC_DEPTH = 5
"""How far below the engine the board's controller is at most: a feature, a bus master, its bus, the device on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a kernel driver shows its things."""

    device_class: str
    fme: re.Pattern[str]
    port: re.Pattern[str]


_LAYOUTS = (
    Layout(device_class="fpga_region", fme=re.compile(r"dfl-fme\.\d+"), port=re.compile(r"dfl-port\.\d+")),
    Layout(device_class="fpga", fme=re.compile(r"intel-fpga-fme\.\d+"), port=re.compile(r"intel-fpga-port\.\d+")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """The way to one region, and what is loaded into that."""

    name: str
    """The kernel's, which is also the name of its node: ``dfl-port.0``."""
    path: Path
    number: int
    afu_id: str
    """The accelerator function that is loaded, in 32 hex digits of lower case; empty when the port does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The management engine of an FPGA. A text is empty when the host does not say it."""

    name: str
    path: Path
    interface_ids: tuple[str, ...]
    """Of each region: what an image must have been built for to fit, in 32 hex digits of lower case."""
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """What there is of an FPGA behind one PCI function."""

    engine: Engine | None
    """None behind a function that only has ports, or nothing: a virtual function, or a further physical one."""
    ports: tuple[Port, ...]


def managed(host: Host) -> dict[PciAddress, Management]:
    """What the kernel's drivers show, by PCI function."""
    found: dict[PciAddress, Management] = {}
    for layout in _LAYOUTS:
        directory = host.sysfs / "class" / layout.device_class
        for name in names_in(directory):
            address = _above(directory / name)
            if address is not None:
                found[address] = _management(directory / name, layout)
    return found


def _above(link: Path) -> PciAddress | None:
    """The PCI function that a device of a class is of; None for one that is below something else, as a region is."""
    parts = link_parts(link)
    return PciAddress.read(parts[-3]) if len(parts) > 2 else None


def _management(directory: Path, layout: Layout) -> Management:
    names = names_in(directory)
    engines = [directory / name for name in names if layout.fme.fullmatch(name)]
    return Management(
        engine=_engine(engines[0]) if engines else None,
        ports=tuple(
            sorted(
                (_port(directory / name) for name in names if layout.port.fullmatch(name)),
                key=lambda port: port.number,
            )
        ),
    )


def _port(directory: Path) -> Port:
    return Port(
        name=directory.name,
        path=directory,
        number=read_number(directory / "id") or 0,
        afu_id=normal_id(read_text(directory / "afu_id")),
    )


def _engine(directory: Path) -> Engine:
    names = ("bitstream_id", "bitstream_metadata", "ports_num", "socket_id")
    facts = {name: read_text(directory / name) for name in names}
    return Engine(
        name=directory.name,
        path=directory,
        interface_ids=tuple(filter(None, map(normal_id, _interface_ids(directory)))),
        facts={**facts, **dict(_bmc_versions(directory, _BMC_DEPTH))},
    )


def _interface_ids(engine: Path) -> Iterator[str]:
    yield read_text(engine / "pr/interface_id")
    numbered = ((int(match[1]), match[0]) for match in map(_FME_REGION.fullmatch, names_in(engine)) if match)
    for _, name in sorted(numbered):
        regions = engine / name / "fpga_region"
        yield from (read_text(regions / region / "compat_id") for region in names_in(regions))


def _bmc_versions(directory: Path, depth: int) -> Iterator[tuple[str, str]]:
    """The versions of the board's management controller, which is somewhere below the engine."""
    names = names_in(directory)
    if _BMC_VERSIONS[0] in names:
        yield from ((name, read_text(directory / name)) for name in _BMC_VERSIONS)
    elif depth:
        for name in filter(_ON_THE_WAY_TO_BMC.search, names):
            yield from _bmc_versions(directory / name, depth - 1)
