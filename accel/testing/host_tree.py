"""Hosts made of files: built row by row, or unpacked from an archive that was captured on a real one.

::

    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address="0000:80:00.0", class_code=0x060400))
    tree.pci_function(PciRow(address="0000:81:00.0", vendor="1002", product="740f", class_code=0x038000,
                             above="0000:80:00.0", driver="amdgpu", numa_node=1))
    devices = PciDriver(tree.host(), options(PciDriver)).discover()
"""

import os
import posixpath
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from accel.drivers.base import Host
from accel.model.address import PciAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class PciRow:
    """One PCI function, as sysfs is to show it. What is None gets no file."""

    address: str
    vendor: str | None = "8086"
    """Four hex digits; ``product`` likewise."""
    product: str | None = "0001"
    class_code: int | None = 0x120000
    """24 bits; 0x060400 makes a bridge."""
    above: str = ""
    """The address of the bridge that it hangs on; empty for the host bridge of its bus."""
    driver: str = ""
    numa_node: int | None = None
    iommu_group: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Other files: ``sriov_totalvfs``, ``current_link_width`` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmeRow:
    """One NVMe controller of a drive."""

    name: str
    """``nvme0``"""
    address: str = ""
    """Of its PCI function, which must be there already; empty for a controller that is not on PCI."""
    subsystem: str = ""
    """``nvme-subsys0``; empty for a host whose kernel has no subsystems."""
    serial: str = "SERIAL1"
    model: str = "A drive"
    qualified_name: str = "nqn.2026-11.org.example:drive"
    state: str = "live"
    namespaces: Mapping[int, int] = field(default_factory=dict)
    """Namespace id to size in bytes. With a subsystem, give them with its first controller only."""


class HostTree:
    """Builds what stands for ``/`` of a host. Every path is below its root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def host(self, name: str = "node-1") -> Host:
        """The host that a driver is given."""
        return Host(name=name, root=self.root)

    def write(self, path: str, text: str) -> Path:
        """Make a file, with its directories: ``write("proc/swaps", "…")``."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def link(self, path: str, target: str) -> Path:
        """Make a symbolic link, relative as those of sysfs; the target need not be there."""
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.root / target, link.parent))
        return link

    def unreadable(self, path: str) -> Path:
        """Make an attribute that is there and fails when it is read, whoever reads it: a directory in its place."""
        file = self.root / path
        file.unlink(missing_ok=True)
        file.mkdir(parents=True)
        return file

    def pci_function(self, row: PciRow) -> Path:
        """Make a PCI function; its directory in sysfs."""
        address = PciAddress.parse(row.address)
        bridge = self._directory(row.above) if row.above else _host_bridge(address)
        directory = f"{bridge}/{address}"
        self._write_all(directory, _pci_attributes(row))
        self.link(f"sys/bus/pci/devices/{address}", directory)
        if row.driver:
            self.link(f"{directory}/driver", f"sys/bus/pci/drivers/{row.driver}")
        if row.iommu_group is not None:
            self.link(f"{directory}/iommu_group", f"sys/kernel/iommu_groups/{row.iommu_group}")
        return self.root / directory

    def virtual_function(self, row: PciRow, *, of: str) -> Path:
        """Make a PCI function that is the next virtual function of another one, which is there already."""
        physical = self._directory(of)
        number = len(list((self.root / physical).glob("virtfn*")))
        directory = self.pci_function(row)
        virtual = self._directory(row.address)
        self.link(f"{physical}/virtfn{number}", virtual)
        self.link(f"{virtual}/physfn", physical)
        self.write(f"{physical}/sriov_numvfs", f"{number + 1}\n")
        return directory

    def remove(self, address: str) -> None:
        """Take a PCI function away with all that hangs on it, as pulling the card does."""
        directory = self.root / self._directory(address)
        shutil.rmtree(directory)
        for link in (self.root / "sys/bus/pci/devices").iterdir():
            if not link.exists():
                link.unlink()

    def nvme_controller(self, row: NvmeRow) -> Path:
        """Make an NVMe controller, and the subsystem it names; its directory in sysfs."""
        parent = self._directory(row.address) if row.address else "sys/devices/platform"
        directory = f"{parent}/nvme/{row.name}"
        self._write_all(directory, {**_identity(row), **_controller_attributes(row)})
        self.link(f"sys/class/nvme/{row.name}", directory)
        self.link(f"{directory}/device", parent)
        disks = self._subsystem(row, directory) if row.subsystem else directory
        for number, size_bytes in row.namespaces.items():
            disk = f"{disks}/{row.name}n{number}"
            self._write_all(disk, {"nsid": str(number), "size": str(size_bytes // 512)})
            self.link(f"sys/class/block/{row.name}n{number}", disk)
        return self.root / directory

    def _subsystem(self, row: NvmeRow, controller: str) -> str:
        directory = f"sys/devices/virtual/nvme-subsystem/{row.subsystem}"
        if not (self.root / directory).exists():
            self._write_all(directory, _identity(row))
            self.link(f"sys/class/nvme-subsystem/{row.subsystem}", directory)
        self.link(f"{directory}/{row.name}", controller)
        return directory

    def _write_all(self, directory: str, attributes: Mapping[str, str]) -> None:
        for name, value in attributes.items():
            self.write(f"{directory}/{name}", f"{value}\n")

    def _directory(self, address: str) -> str:
        """Where a function that is there already has its directory."""
        link = self.root / "sys/bus/pci/devices" / str(PciAddress.parse(address))
        return link.resolve(strict=True).relative_to(self.root.resolve()).as_posix()


def _host_bridge(address: PciAddress) -> str:
    return f"sys/devices/pci{address.domain:04x}:{address.bus:02x}"


def _pci_attributes(row: PciRow) -> Mapping[str, str]:
    known = {
        "vendor": row.vendor and f"0x{row.vendor}",
        "device": row.product and f"0x{row.product}",
        "class": None if row.class_code is None else f"0x{row.class_code:06x}",
        "numa_node": None if row.numa_node is None else str(row.numa_node),
    }
    return {**{name: value for name, value in known.items() if value is not None}, **row.attributes}


def _identity(row: NvmeRow) -> Mapping[str, str]:
    """Padded with blanks, as drives have it."""
    return {
        "serial": f"{row.serial:<20}",
        "model": f"{row.model:<40}",
        "subsysnqn": row.qualified_name,
        "firmware_rev": "1.0     ",
    }


def _controller_attributes(row: NvmeRow) -> Mapping[str, str]:
    place = {"transport": "pcie", "address": row.address} if row.address else {"transport": "apple-nvme"}
    return {**place, "state": row.state}


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a captured host; where its root is, which may be a directory or two below ``into``.

    Nothing is written outside ``into``, whatever the archive holds: device nodes and what leads out of it are left out,
    links to absolute paths are made to lead to the same path of the captured host. Links are made last, so that
    nothing is written through one.

    :param archive: a tar file, compressed in any way that ``tarfile`` knows
    :param into: an empty directory, or one that is not there yet
    """
    with tarfile.open(archive) as tar:
        members = [member for member in tar if not {"/", ".."} & set(PurePosixPath(member.name).parts)]
        root = _captured_root(members)
        for member in members:
            _unpack_file(tar, member, into / member.name)
    links = {PurePosixPath(member.name): member for member in members if member.issym()}
    for name, member in links.items():
        if links.keys().isdisjoint(name.parents):
            _unpack_link(member, into / name, root)
    return into / root


def _captured_root(members: Iterable[tarfile.TarInfo]) -> PurePosixPath:
    """The directory that holds ``sys``, in the archive; the top where there is none."""
    for parts in (PurePosixPath(member.name).parts for member in members):
        if "sys" in parts:
            return PurePosixPath(*parts[: parts.index("sys")])
    return PurePosixPath()


def _unpack_file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.isreg() and (content := tar.extractfile(member)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read())


def _unpack_link(member: tarfile.TarInfo, path: Path, root: PurePosixPath) -> None:
    directory = posixpath.dirname(member.name)
    target = member.linkname
    if target.startswith("/"):
        target = posixpath.relpath(root / target.lstrip("/"), directory)
    leads_out = posixpath.normpath(posixpath.join(directory, target)).startswith("..")
    if not leads_out and not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
