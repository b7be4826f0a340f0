"""The example driver keeps accel's contract, and reports what the kernel lists."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from accel_driver_example import ExampleDriver

from accel.drivers.base import Host
from accel.errors import DriverUnavailable
from accel.model.device import Health
from accel.testing import DriverContract, HostTree, PciRow, options

_TREE = Path(__file__).parent / "data" / "two-cards"


def _add_card(root: Path, address: str, *, nodes: Sequence[str] = (), driver: str = "", numa_node: int = 0) -> Path:
    """A PCI function as the kernel shows it, with its entries in the class of compute accelerators."""
    row = PciRow(address=address, vendor="1da3", product="1060", driver=driver, numa_node=numa_node)
    directory = HostTree(root).pci_function(row)
    (root / "sys/class/accel").mkdir(exist_ok=True, parents=True)
    for node in nodes:
        (directory / "accel" / node).mkdir(parents=True)
    return directory


def _driver(root: Path, **values: object) -> ExampleDriver:
    return ExampleDriver(Host(name="node-1", root=root), options(ExampleDriver, **values))


class TestExampleDriver(DriverContract):
    trees = (_TREE,)

    def make_driver(self, host: Host) -> ExampleDriver:
        return ExampleDriver(host, options(ExampleDriver))


def test_a_card_is_reported_with_its_place_and_its_device_node(tmp_path: Path) -> None:
    _add_card(tmp_path, "0000:33:00.0", nodes=("accel_controlD0", "accel0"), numa_node=1)

    (device,) = _driver(tmp_path).discover()

    assert (str(device.address), device.vendor, device.product, device.numa_node) == ("0000:33:00.0", "1da3", "1060", 1)
    assert device.pci_path == ("pci0000:33",)
    assert device.deployables[0].name == "node-1_0000:33:00.0"
    assert device.deployables[0].handles[0].info == {"path": "/dev/accel/accel0"}


def test_a_function_without_a_device_node_is_no_accelerator(tmp_path: Path) -> None:
    _add_card(tmp_path, "0000:33:00.0")
    _add_card(tmp_path, "0000:34:00.0", nodes=("accel_controlD1",))

    assert _driver(tmp_path).discover() == ()


def test_only_the_wanted_kernel_drivers_are_reported(tmp_path: Path) -> None:
    _add_card(tmp_path, "0000:33:00.0", nodes=("accel0",), driver="habanalabs")
    _add_card(tmp_path, "0000:34:00.0", nodes=("accel1",), driver="intel_vpu")

    found = _driver(tmp_path, kernel_drivers=["habanalabs"]).discover()

    assert [str(device.address) for device in found] == ["0000:33:00.0"]


def test_a_card_whose_ids_cannot_be_read_is_reported_as_of_unknown_health(tmp_path: Path) -> None:
    directory = _add_card(tmp_path, "0000:33:00.0", nodes=("accel0",))
    HostTree(tmp_path).unreadable(str(directory.relative_to(tmp_path) / "vendor"))

    (device,) = _driver(tmp_path).discover()

    assert device.health is Health.UNKNOWN
    assert "vendor" in device.reason


def test_a_kernel_without_the_class_is_told_apart_from_a_host_without_cards(tmp_path: Path) -> None:
    with pytest.raises(DriverUnavailable, match="/sys/class/accel does not exist"):
        _driver(tmp_path).discover()
