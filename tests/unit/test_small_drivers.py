"""The drivers intel_qat, ascend and accel: what each tells beyond what PCI tells."""

from pathlib import Path

import pytest
from support import built_hosts
from support.parts import facts, handed_out, trait_names

from accel.drivers.accel_class import AccelDriver
from accel.drivers.ascend import AscendDriver
from accel.drivers.base import Host
from accel.drivers.intel_qat import IntelQatDriver
from accel.model.device import Device, Health, Presence
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

NODE = "node-1"


def look(driver: type[IntelQatDriver | AscendDriver | AccelDriver], host: Host) -> list[Device]:
    found = list(driver(host, options(driver)).discover())
    assert problems(found, node=NODE) == []
    return found


# intel_qat


def test_what_a_quickassist_device_is_configured_for_is_told_as_traits(tmp_path: Path) -> None:
    idle, device = look(IntelQatDriver, built_hosts.two_qats(tmp_path, NODE))
    card, pool = device.deployables
    assert (device.std_board_info["services"], device.std_board_info["state"]) == ("sym;dc", "up")
    assert {"CUSTOM_QAT_INTEL", "CUSTOM_QAT_SERVICE_SYM", "CUSTOM_QAT_SERVICE_DC"} < trait_names(pool)
    assert (facts(pool)["rc"], handed_out(card), handed_out(pool)) == (
        "CUSTOM_QAT",
        [],
        ["0000:6b:00.1", "0000:6b:00.2"],
    )
    assert handed_out(idle.deployables[0]) == [built_hosts.UNDRIVEN_QAT]


def test_a_quickassist_device_that_is_down_is_unhealthy(tmp_path: Path) -> None:
    host = built_hosts.two_qats(tmp_path, NODE)
    (host.sysfs / f"bus/pci/devices/{built_hosts.QAT}/qat/state").write_text("down\n")
    assert [device.health for device in look(IntelQatDriver, host)] == [Health.HEALTHY, Health.UNHEALTHY]


# ascend


def test_the_nodes_of_an_only_processor_are_told(tmp_path: Path) -> None:
    (device,) = look(AscendDriver, built_hosts.ascend(tmp_path, NODE))
    assert device.model == "Ascend 910B"
    assert device.std_board_info["device_nodes"] == (
        "/dev/davinci0, /dev/davinci_manager, /dev/devmm_svm, /dev/hisi_hdc"
    )


def test_which_node_is_whose_of_several_processors_is_not_guessed(tmp_path: Path) -> None:
    host = built_hosts.ascend(tmp_path, NODE)
    HostTree(tmp_path).pci_function(PciRow(address="0000:c2:00.0", vendor="19e5", product="d802", driver="davinci"))
    (host.dev / "davinci1").write_text("")
    assert ["device_nodes" in device.std_board_info for device in look(AscendDriver, host)] == [False, False]


def test_other_processors_by_huawei_are_no_ascend(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address="0000:01:00.0", vendor="19e5", product="0222", class_code=0x020000))
    assert look(AscendDriver, tree.host(NODE)) == []


# accel


def test_what_is_in_the_class_is_told_with_its_node(tmp_path: Path) -> None:
    npu, gaudi, undriven, chip = look(AccelDriver, built_hosts.accel_class(tmp_path, NODE))
    nodes = [device.std_board_info.get("device_nodes") for device in (npu, gaudi, undriven, chip)]
    assert nodes == ["/dev/accel/accel1", "/dev/accel/accel0", None, "/dev/accel/accel2"]
    assert (gaudi.model, gaudi.std_board_info["processor"], gaudi.std_board_info["module"]) == ("Gaudi2", "GAUDI2", "3")
    assert [device.health for device in (npu, gaudi, undriven, chip)] == [Health.HEALTHY] * 4


def test_a_device_of_a_system_on_a_chip_is_handed_out_by_its_node(tmp_path: Path) -> None:
    chip = look(AccelDriver, built_hosts.accel_class(tmp_path, NODE))[-1]
    assert (chip.identity, chip.kernel_driver, chip.address) == ("platform:fdab0000.npu", "rocket", None)
    assert handed_out(chip.deployables[0]) == ["/dev/accel/accel2"]


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Operational", Health.HEALTHY),
        ("In reset", Health.UNKNOWN),
        ("In device creation", Health.UNKNOWN),
        ("Malfunction", Health.UNHEALTHY),
        ("Needs Reset", Health.UNHEALTHY),
        ("Disabled", Health.UNHEALTHY),
        ("", Health.HEALTHY),
    ],
)
def test_the_state_that_the_kernel_driver_tells_is_the_device_s_health(
    tmp_path: Path, status: str, health: Health
) -> None:
    host = built_hosts.accel_class(tmp_path, NODE)
    (host.sysfs / f"bus/pci/devices/{built_hosts.GAUDI}/status").write_text(f"{status}\n")
    assert look(AccelDriver, host)[1].health is health


def test_a_device_that_fell_off_the_bus_is_lost_whatever_its_driver_says(tmp_path: Path) -> None:
    host = built_hosts.accel_class(tmp_path, NODE)
    (host.sysfs / f"bus/pci/devices/{built_hosts.GAUDI}/config").write_bytes(b"\xff" * 64)
    assert look(AccelDriver, host)[1].presence is Presence.LOST
