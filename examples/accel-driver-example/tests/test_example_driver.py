"""The example driver keeps accel's contract, and reports what the kernel lists."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from accel_driver_example import ExampleDriver

from accel.drivers.base import Host
from accel.errors import DriverUnavailable
from accel.model.device import Health
from accel.testing.driver_contract import DriverContract, options

_TREE = Path(__file__).parent / "data" / "two-cards"


def _add_card(root: Path, address: str, *, nodes: tuple[str, ...], **attributes: str) -> Path:
    """A PCI function as the kernel shows it, with entries of the class of compute accelerators."""
    (root / "sys/class/accel").mkdir(parents=True, exist_ok=True)
    directory = root / "sys/devices/pci0000:30/0000:30:01.0" / address
    directory.mkdir(parents=True)
    for node in nodes:
        (directory / "accel" / node).mkdir(parents=True)
    files: Mapping[str, str] = {"vendor": "0x1da3", "device": "0x1060", "class": "0x120000", **attributes}
    for name, text in files.items():
        (directory / name).write_text(f"{text}\n")
    return directory


def _driver(root: Path, **values: object) -> ExampleDriver:
    return ExampleDriver(Host(name="node-1", root=root), options(ExampleDriver, **values))


class TestExampleDriver(DriverContract):
    trees = (_TREE,)

    def make_driver(self, host: Host) -> ExampleDriver:
        return ExampleDriver(host, options(ExampleDriver))


def test_a_card_is_reported_with_its_place_and_its_device_node(tmp_path: Path) -> None:
    _add_card(tmp_path, "0000:33:00.0", nodes=("accel_controlD0", "accel0"), numa_node="1")

    (device,) = _driver(tmp_path).discover()

    assert (str(device.address), device.vendor, device.product, device.numa_node) == ("0000:33:00.0", "1da3", "1060", 1)
    assert device.pci_path == ("pci0000:30", "0000:30:01.0")
    assert device.deployables[0].name == "node-1_0000:33:00.0"
    assert device.deployables[0].handles[0].info == {"path": "/dev/accel/accel0"}


def test_a_function_without_a_device_node_is_no_accelerator(tmp_path: Path) -> None:
    _add_card(tmp_path, "0000:33:00.0", nodes=())
    _add_card(tmp_path, "0000:34:00.0", nodes=("accel_controlD1",))

    assert _driver(tmp_path).discover() == ()


def test_only_the_wanted_kernel_drivers_are_reported(tmp_path: Path) -> None:
    first = _add_card(tmp_path, "0000:33:00.0", nodes=("accel0",))
    _add_card(tmp_path, "0000:34:00.0", nodes=("accel1",))
    (first / "driver").symlink_to("../../../../bus/pci/drivers/habanalabs")

    found = _driver(tmp_path, kernel_drivers=["habanalabs"]).discover()

    assert [str(device.address) for device in found] == ["0000:33:00.0"]


def test_a_card_whose_ids_cannot_be_read_is_reported_as_of_unknown_health(tmp_path: Path) -> None:
    directory = _add_card(tmp_path, "0000:33:00.0", nodes=("accel0",))
    (directory / "vendor").unlink()
    (directory / "vendor").mkdir()  # reading it fails, whoever reads

    (device,) = _driver(tmp_path).discover()

    assert device.health is Health.UNKNOWN
    assert "vendor" in device.reason


def test_a_kernel_without_the_class_is_told_apart_from_a_host_without_cards(tmp_path: Path) -> None:
    with pytest.raises(DriverUnavailable, match="/sys/class/accel does not exist"):
        _driver(tmp_path).discover()
