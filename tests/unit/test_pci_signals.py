"""What PCI tells of any device's fitness: errors, the link, temperatures; three-valued, with figures."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.host_trees import HOSTS

from accel.drivers.pci_signals import pci_signals
from accel.drivers.sysfs import pci_functions
from accel.model.device import Health
from accel.model.health import Signal
from accel.testing import HostTree, PciRow, unpack

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BRIDGE, CARD = "0000:80:00.0", "0000:81:00.0"
NO_ERRORS = {"aer_dev_fatal": "DLP 0\nTOTAL_ERR_FATAL 0", "aer_dev_nonfatal": "DLP 0", "aer_dev_correctable": "RxErr 0"}
LINK = {
    "current_link_width": "16",
    "max_link_width": "16",
    "current_link_speed": "2.5 GT/s PCIe",
    "max_link_speed": "16.0 GT/s PCIe",
}


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def card(tree: HostTree, *, above: str = "", **attributes: str) -> Path:
    return tree.pci_function(PciRow(address=CARD, vendor="10de", above=above, attributes=attributes))


def signals(tree: HostTree) -> dict[str, Signal]:
    function = next(one for one in pci_functions(tree.host()) if str(one.address) == CARD)
    found = list(pci_signals(function, NOW))
    assert len({signal.source for signal in found}) == len(found)
    return {signal.source: signal for signal in found}


def told(tree: HostTree, source: str) -> tuple[Health, str]:
    signal = signals(tree)[source]
    return signal.value, signal.text


def sensor(tree: HostTree, directory: Path, number: int, **files: str) -> None:
    for name, text in files.items():
        tree.write(f"{directory.relative_to(tree.root)}/hwmon/hwmon3/temp{number}_{name}", f"{text}\n")


def test_what_a_device_has_no_files_for_it_has_no_signal_of(tree: HostTree) -> None:
    card(tree)

    assert signals(tree) == {}


def test_errors_are_told_by_severity_and_those_that_are_grave_are_counted(tree: HostTree) -> None:
    correctable = "RxErr 3\nBadTLP 0\nTimeout 4\nTOTAL_ERR_COR 7\n"
    card(
        tree, aer_dev_correctable=correctable, aer_dev_nonfatal="CmpltTO 2\nTOTAL_ERR_NONFATAL 2", aer_dev_fatal="DLP 1"
    )

    signal = signals(tree)["pcie.aer"]

    assert (signal.value, signal.count, signal.at) == (Health.HEALTHY, 3, NOW)
    assert signal.text == "1 fatal (DLP 1); 2 non-fatal (CmpltTO 2); 7 correctable (RxErr 3, Timeout 4)"


def test_counters_that_cannot_be_read_are_unknown_and_not_zero(tree: HostTree) -> None:
    directory = card(tree, **NO_ERRORS)
    tree.unreadable(f"{directory.relative_to(tree.root)}/aer_dev_fatal")

    signal = signals(tree)["pcie.aer"]

    assert (signal.value, signal.count, "cannot be read" in signal.text) == (Health.UNKNOWN, None, True)


def test_a_link_with_all_lanes_is_healthy_however_slow_it_is_while_the_device_idles(tree: HostTree) -> None:
    card(tree, **LINK)

    assert told(tree, "pcie.link") == (Health.HEALTHY, "16 lanes; 2.5 GT/s PCIe of at most 16.0 GT/s PCIe")


def test_a_link_that_is_narrower_than_both_ends_could_have_it_is_unhealthy(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=BRIDGE, class_code=0x060400, attributes={"max_link_width": "16"}))
    card(tree, above=BRIDGE, **{**LINK, "current_link_width": "8"})

    value, text = told(tree, "pcie.link")

    assert (value, text.startswith("8 lanes are in use, and both ends have 16")) == (Health.UNHEALTHY, True)


def test_a_card_in_a_slot_with_fewer_lanes_than_it_has_is_healthy(tree: HostTree) -> None:
    tree.pci_function(PciRow(address=BRIDGE, class_code=0x060400, attributes={"max_link_width": "8"}))
    card(tree, above=BRIDGE, **{**LINK, "current_link_width": "8"})

    assert told(tree, "pcie.link")[0] is Health.HEALTHY


@pytest.mark.parametrize("width", ["0", "63", "255", ""])
def test_a_link_that_is_down_is_unknown(tree: HostTree, width: str) -> None:
    card(tree, **{**LINK, "current_link_width": width})

    assert told(tree, "pcie.link") == (Health.UNKNOWN, "it is down")


def test_what_is_not_on_pci_express_has_no_link(tree: HostTree) -> None:
    card(tree, current_link_width="0", max_link_width="0")

    assert "pcie.link" not in signals(tree)


def test_of_all_sensors_the_one_nearest_to_its_limit_is_told(tree: HostTree) -> None:
    directory = card(tree)
    sensor(tree, directory, 1, input="61000", crit="100000", label="edge")
    sensor(tree, directory, 2, input="88000", crit="95000", label="memory")
    sensor(tree, directory, 3, input="99000")

    text = "memory 88 of at most 95 °C, the nearest to its limit of 3"
    assert told(tree, "temperature") == (Health.HEALTHY, text)


def test_a_device_that_is_too_hot_is_unhealthy(tree: HostTree) -> None:
    sensor(tree, card(tree), 1, input="95000", crit="95000", label="edge")

    assert told(tree, "temperature") == (Health.UNHEALTHY, "too hot: edge 95 of at most 95 °C")


def test_a_sensor_that_cannot_be_read_is_unknown(tree: HostTree) -> None:
    directory = card(tree)
    tree.unreadable(f"{directory.relative_to(tree.root)}/hwmon/hwmon0/temp1_input")

    value, text = told(tree, "temperature")

    assert (value, text.startswith("no sensor can be read; temp1: ")) == (Health.UNKNOWN, True)


def test_a_device_that_sleeps_is_not_woken_and_nothing_is_the_matter_with_it(tree: HostTree) -> None:
    directory = card(tree, **{**LINK, "current_link_width": "0"})
    sensor(tree, directory, 1, input="99000", crit="90000")
    tree.write(f"{directory.relative_to(tree.root)}/power/runtime_status", "suspended\n")

    asleep = (Health.HEALTHY, "the device sleeps, and is not woken to be asked")
    assert {source: (one.value, one.text) for source, one in signals(tree).items()} == {
        "pcie.link": asleep,
        "temperature": asleep,
    }


@pytest.mark.parametrize(
    "name", ["fpga-n6000-sku0", "ghw-accel", "mi250x-16gcd", "qemu-2numa-boot", "fpga-xilinx-alveo"]
)
def test_on_captured_hosts_every_signal_has_a_value_and_words(name: str, tmp_path: Path) -> None:
    (archive,) = (HOSTS / name).glob("*.tar.*")
    host = HostTree(unpack(archive, tmp_path)).host()

    found = [signal for function in pci_functions(host) for signal in pci_signals(function, NOW)]

    assert all(signal.text and signal.value in Health for signal in found)
    assert {signal.source for signal in found} <= {"pcie.aer", "pcie.link", "temperature"}
    assert {signal.source for signal in found if signal.value is Health.UNHEALTHY} <= {"pcie.link"}
