"""A host with cards that go to guests, behind a kernel that reacts."""

from dataclasses import replace
from pathlib import Path

from accel.drivers.base import Guests
from accel.drivers.guest.acts import PciActs
from accel.drivers.pci import PciDriver
from accel.model.address import PciAddress
from accel.model.device import Deployable, Device, pci_handle
from accel.testing import HostTree, PciRow, SimulatedKernel, options

BRIDGE, CARD, SOUND, OTHER = "0000:80:00.0", "0000:81:00.0", "0000:81:00.1", "0000:82:00.0"
KEY = "5f0c3a52-4e5b-4a4b-9a53-2a8a53cf11d1"


def cards(root: Path) -> HostTree:
    """A graphics card with sound behind a bridge, all of one IOMMU group, and a card with virtual functions to make."""
    tree = HostTree(root)
    tree.pci_function(PciRow(address=BRIDGE, class_code=0x060400, iommu_group=12, driver="pcieport"))
    more = {"reset": "", "boot_vga": "0"}
    row = PciRow(address=CARD, vendor="1002", product="740f", class_code=0x038000, above=BRIDGE, driver="amdgpu")
    tree.pci_function(_with(row, iommu_group=12, attributes=more))
    row = PciRow(address=SOUND, vendor="1002", product="ab28", class_code=0x040300, above=BRIDGE)
    tree.pci_function(_with(row, iommu_group=12, driver="snd_hda_intel"))
    more = {"reset": "", "sriov_totalvfs": "8", "sriov_offset": "16", "sriov_stride": "1", "sriov_vf_device": "4941"}
    row = PciRow(address=OTHER, vendor="8086", product="4940", class_code=0x0B4000, driver="4xxx")
    tree.pci_function(_with(row, iommu_group=13, attributes=more))
    return tree


def _with(row: PciRow, **more: object) -> PciRow:
    return replace(row, **more)  # type: ignore[arg-type]


def driver_of(kernel: SimulatedKernel, guests: Guests | None = None) -> PciDriver:
    return PciDriver(kernel.host(guests=guests), options(PciDriver))


def device_at(driver: PciActs, address: str) -> Device:
    """What the driver sees at an address now."""
    found: list[Device] = list(driver.discover())  # type: ignore[attr-defined]
    return next(device for device in found if str(device.address) == address)


def prepare(driver: PciActs, card: str, function: str = "", key: str = KEY) -> None:
    device = device_at(driver, card)
    driver.prepare(device, whole(device), pci_handle(PciAddress.parse(function or card)), key)


def release(driver: PciActs, card: str, function: str = "", key: str = KEY) -> None:
    device = device_at(driver, card)
    driver.release(device, whole(device), pci_handle(PciAddress.parse(function or card)), key)


def whole(device: Device) -> Deployable:
    return device.deployables[0]


def bound(tree: HostTree, address: str) -> str | None:
    """The kernel driver of a function."""
    link = tree.root / f"sys/bus/pci/devices/{address}/driver"
    return link.readlink().name if link.is_symlink() else None


def text(tree: HostTree, address: str, attribute: str) -> str:
    return (tree.root / f"sys/bus/pci/devices/{address}/{attribute}").read_text().strip()
