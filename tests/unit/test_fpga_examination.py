"""What FPGAs tell of their fitness, on captured hosts and on hosts with something the matter."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.host_trees import HOSTS

from accel.drivers.acts import Examined
from accel.drivers.base import Driver, Host
from accel.drivers.intel_fpga import IntelFpgaDriver
from accel.drivers.xilinx_fpga import XilinxFpgaDriver
from accel.model.device import Health
from accel.testing import HostTree, options, unpack

DRIVERS: Mapping[str, type[Driver]] = {"intel": IntelFpgaDriver, "xilinx": XilinxFpgaDriver}
INTEL_HOSTS = ("fpga-a10-dfl", "fpga-a10-oldriver", "fpga-d5005-dfl", "fpga-n3000-dfl", "fpga-n6000-sku0")
ENGINE = "sys/class/fpga_region/region0/dfl-fme.0"
PORT = "sys/class/fpga_region/region0/dfl-port.0"


def captured(name: str, directory: Path) -> HostTree:
    (archive,) = (HOSTS / name).glob("*.tar.gz")
    return HostTree(unpack(archive, directory))


def examined(tree: HostTree, kind: str, address: str = "") -> dict[str, tuple[Health, str]]:
    """The signals of the first device, or of the one at an address, by source."""
    driver = DRIVERS[kind](Host(name="node-1", root=tree.root), options(DRIVERS[kind]))
    assert isinstance(driver, Examined)
    device = next(one for one in driver.discover() if not address or str(one.address) == address)
    return {signal.source: (signal.value, signal.text) for signal in driver.examine(device)}


@pytest.mark.parametrize("name", INTEL_HOSTS)
def test_the_captured_boards_of_intel_are_healthy(name: str, tmp_path: Path) -> None:
    found = examined(captured(name, tmp_path), "intel")

    assert found["fpga.engine"] == (Health.HEALTHY, "no errors")
    assert {value for value, _ in found.values()} == {Health.HEALTHY}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("fpga-d5005-dfl", "the nearest to its limit of 15"),
        ("fpga-n6000-sku0", "the nearest to its limit of"),
        ("fpga-a10-oldriver", "chip"),
    ],
)
def test_the_sensors_of_a_board_are_found_wherever_below_the_engine_they_are(
    name: str, nearest: str, tmp_path: Path
) -> None:
    assert nearest in examined(captured(name, tmp_path), "intel")["temperature"][1]


@pytest.mark.parametrize(
    ("register", "value"),
    [
        ("catfatal_errors", Health.UNHEALTHY),
        ("nonfatal_errors", Health.UNKNOWN),
        ("fme_errors", Health.UNKNOWN),
        ("pcie0_errors", Health.UNKNOWN),
    ],
)
def test_fatal_errors_of_the_engine_are_unhealthy_and_what_others_have_done_is_unknown(
    register: str, value: Health, tmp_path: Path
) -> None:
    tree = captured("fpga-d5005-dfl", tmp_path)
    tree.write(f"{ENGINE}/errors/{register}", "0x10\n")

    assert examined(tree, "intel")["fpga.engine"] == (value, f"{register} is 0x10")


def test_an_engine_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    tree = captured("fpga-d5005-dfl", tmp_path)
    tree.unreadable(f"{ENGINE}/errors/catfatal_errors")

    assert examined(tree, "intel")["fpga.engine"][0] is Health.UNKNOWN


def test_mistakes_of_the_function_that_is_loaded_do_not_make_the_board_unfit(tmp_path: Path) -> None:
    tree = captured("fpga-d5005-dfl", tmp_path)
    tree.write(f"{PORT}/errors/errors", "0x400\n")

    value, text = examined(tree, "intel")["fpga.port0"]

    assert (value, text) == (Health.HEALTHY, "the function that is loaded makes mistakes: errors is 0x400")


def test_a_board_that_answers_again_is_healthy_again(tmp_path: Path) -> None:
    tree = captured("fpga-d5005-dfl", tmp_path)
    tree.write(f"{ENGINE}/errors/catfatal_errors", "0x1\n")
    before = examined(tree, "intel")["fpga.engine"][0]
    tree.write(f"{ENGINE}/errors/catfatal_errors", "0x0\n")

    assert (before, examined(tree, "intel")["fpga.engine"][0]) == (Health.UNHEALTHY, Health.HEALTHY)


def alveo(tmp_path: Path, **files: str) -> HostTree:
    tree = captured("fpga-xilinx-alveo", tmp_path)
    for name, text in files.items():
        tree.write(f"sys/devices/pci0000:03/0000:03:00.0/0000:04:00.0/{name.replace('__', '/')}", text)
    return tree


def test_a_firewall_that_has_tripped_makes_the_card_unhealthy(tmp_path: Path) -> None:
    tree = alveo(
        tmp_path, **{"firewall.m.1024__detected_level": "2\n", "firewall.m.1024__detected_status": "0x80000\n"}
    )

    assert examined(tree, "xilinx", "0000:04:00.0")["fpga.firewall"] == (
        Health.UNHEALTHY,
        "it has tripped at level 2, status 0x80000: reset the card",
    )


def test_a_firewall_that_has_not_tripped_is_healthy_and_one_that_says_nothing_has_no_signal(tmp_path: Path) -> None:
    silent = alveo(tmp_path / "silent")
    tree = alveo(tmp_path / "said", **{"firewall.m.1024__detected_level": "0\n"})

    assert "fpga.firewall" not in examined(silent, "xilinx", "0000:04:00.0")
    assert examined(tree, "xilinx", "0000:04:00.0")["fpga.firewall"] == (Health.HEALTHY, "it has not tripped")


def test_what_the_kernel_driver_complains_of_makes_the_card_unhealthy(tmp_path: Path) -> None:
    tree = alveo(tmp_path, error="Firewall\n tripped\n")

    assert examined(tree, "xilinx", "0000:04:00.0")["fpga.error"] == (Health.UNHEALTHY, "Firewall tripped")


def test_the_card_s_own_controller_tells_temperatures(tmp_path: Path) -> None:
    tree = alveo(tmp_path)
    tree.write("sys/devices/pci0000:03/0000:03:00.0/0000:04:00.0/xmc.m.1024/xmc_fpga_temp", "52\n")

    assert examined(tree, "xilinx", "0000:04:00.0")["temperature"] == (Health.HEALTHY, "FPGA 52 °C")
