"""The xilinx_fpga driver: which functions are one board, and when it is of use."""

from pathlib import Path

import pytest
from support.parts import facts, handed_out, trait_names

from accel.drivers.xilinx_fpga import XilinxFpgaDriver
from accel.model.device import DeployableKind, Device, Health
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

MANAGEMENT, USER = "0000:81:00.0", "0000:81:00.1"
IMAGE = "54754387-411c-4c16-8265-245b0241d0a2"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def look(tree: HostTree) -> list[Device]:
    found = list(XilinxFpgaDriver(tree.host(), options(XilinxFpgaDriver)).discover())
    assert problems(found, node="node-1") == []
    return found


def function(tree: HostTree, address: str, product: str, vendor: str = "10ee", **files: str) -> Path:
    directory = tree.pci_function(PciRow(address=address, vendor=vendor, product=product))
    for name, text in files.items():
        tree.write(f"{directory.relative_to(tree.root).as_posix()}/{name.replace('__', '/')}", text)
    return directory


def board(tree: HostTree, **user_files: str) -> None:
    function(tree, MANAGEMENT, "5004", mgmt_pf="", ready="1\n", mfg="0\n")
    function(tree, USER, "5005", user_pf="", **{"ready": "0x1\n", **user_files})


def test_both_functions_are_one_board_and_go_to_one_workload(tree: HostTree) -> None:
    board(tree)
    (device,) = look(tree)
    card = device.deployables[0]
    assert (device.model, card.num_accelerators, handed_out(card)) == ("Alveo U250", 1, [MANAGEMENT, USER])
    assert device.std_board_info["functions"] == f"{MANAGEMENT}, {USER}"


def test_the_role_is_told_by_the_marker_and_not_by_the_number(tree: HostTree) -> None:
    function(tree, MANAGEMENT, "5005", user_pf="", interface_uuids="1" * 32)
    function(tree, USER, "5004", mgmt_pf="", interface_uuids="2" * 32)
    (device,) = look(tree)
    assert device.std_board_info["interface_uuid"] == "1" * 32


def test_what_is_loaded_is_told_by_its_id_and_as_traits(tree: HostTree) -> None:
    board(tree, xclbinuuid=f"{IMAGE}\n", interface_uuids="1" * 32)
    (device,) = look(tree)
    card, region = device.deployables
    digits = IMAGE.replace("-", "")
    assert device.std_board_info["xclbin_uuid"] == digits
    assert {f"CUSTOM_FPGA_FUNCTION_ID_XILINX_{digits.upper()}", f"CUSTOM_FPGA_REGION_XILINX_{'1' * 32}"} < trait_names(
        card
    )
    assert (region.kind, facts(region)["image_id"], facts(region)["interface_id"]) == (
        DeployableKind.REGION,
        digits,
        "1" * 32,
    )


def test_zeros_mean_that_nothing_is_loaded(tree: HostTree) -> None:
    board(tree, xclbinuuid="00000000-0000-0000-0000-000000000000\n")
    (device,) = look(tree)
    assert "xclbin_uuid" not in device.std_board_info
    assert facts(device.deployables[1])["image_id"] == "none"


def test_what_is_loaded_where_no_driver_says_it_is_not_known(tree: HostTree) -> None:
    board(tree, interface_uuids="1" * 32)
    assert "image_id" not in facts(look(tree)[0].deployables[1])


def test_a_board_is_known_by_its_serial_number(tree: HostTree) -> None:
    board(tree, xmc__u__1025__serial_num="")
    tree.write(f"sys/devices/pci0000:81/{USER}/xmc.u.33025/serial_num", "2130129CS00X\n")
    assert [device.identity for device in look(tree)] == ["serial:2130129CS00X"]


def test_boards_that_tell_the_same_serial_number_are_known_by_their_addresses(tree: HostTree) -> None:
    for bus in ("81", "82"):
        function(tree, f"0000:{bus}:00.1", "5005", user_pf="")
        tree.write(f"sys/devices/pci0000:{bus}/0000:{bus}:00.1/xmc.u.1/serial_num", "0\n")
    assert [device.identity for device in look(tree)] == ["pci:0000:81:00.1", "pci:0000:82:00.1"]


def test_a_user_function_alone_in_a_guest_is_a_board(tree: HostTree) -> None:
    function(tree, USER, "5005", user_pf="", ready="0x1\n")
    (device,) = look(tree)
    assert (device.health, handed_out(device.deployables[0])) == (Health.HEALTHY, [USER])


def test_a_board_with_the_image_of_the_factory_is_not_offered(tree: HostTree) -> None:
    function(tree, MANAGEMENT, "d004", mgmt_pf="", mfg="1\n")
    (device,) = look(tree)
    assert (device.health, handed_out(device.deployables[0])) == (Health.UNHEALTHY, [])
    assert "xbmgmt program --base" in device.reason


@pytest.mark.parametrize(
    ("files", "said"),
    [({"ready": "0x0\n"}, "not ready"), ({"ready": "0\n"}, "not ready")],
)
def test_a_board_that_is_not_ready_is_unhealthy(tree: HostTree, files: dict[str, str], said: str) -> None:
    board(tree, **files)
    (device,) = look(tree)
    assert (device.health, said in device.reason) == (Health.UNHEALTHY, True)


def test_a_management_function_without_its_user_function_is_unhealthy(tree: HostTree) -> None:
    function(tree, MANAGEMENT, "5004", mgmt_pf="", mfg="0\n")
    (device,) = look(tree)
    assert (device.health, device.reason.startswith("its user function is not on the bus")) == (Health.UNHEALTHY, True)


def test_a_board_without_its_kernel_drivers_is_offered_and_tells_what_is_not_known(tree: HostTree) -> None:
    function(tree, MANAGEMENT, "5004")
    function(tree, USER, "5005")
    (device,) = look(tree)
    assert (device.health, handed_out(device.deployables[0])) == (Health.HEALTHY, [MANAGEMENT, USER])
    assert "xclmgmt" in device.std_board_info["not_read"]


def test_a_board_that_another_maker_sells_is_known_by_the_markers(tree: HostTree) -> None:
    function(tree, MANAGEMENT, "1042", vendor="1d0f", mgmt_pf="")
    function(tree, USER, "f010", vendor="1d0f", user_pf="")
    function(tree, "0000:82:00.0", "8061", vendor="1d0f")
    assert [str(device.address) for device in look(tree)] == [MANAGEMENT]


def test_two_boards_are_told_apart_by_their_slots(tree: HostTree) -> None:
    board(tree)
    function(tree, "0000:81:01.0", "5000", mgmt_pf="")
    function(tree, "0000:81:01.1", "5001", user_pf="")
    assert [str(device.address) for device in look(tree)] == [MANAGEMENT, "0000:81:01.0"]
