"""The intel_fpga driver: what is a board, and what of it can be programmed."""

from pathlib import Path

import pytest
from support.parts import facts, handed_out, trait_names

from accel.drivers.intel_fpga import IntelFpgaDriver
from accel.model.device import DeployableKind, Device, Health
from accel.model.validate import problems
from accel.testing import HostTree, PciRow, options

CARD = "0000:05:00.0"
INTERFACE, AFU = "f64e598bea11517fa28e7bc65d885104", "d8424dc4a4a3c413f89e433683f9040b"


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def look(tree: HostTree) -> list[Device]:
    found = list(IntelFpgaDriver(tree.host(), options(IntelFpgaDriver)).discover())
    assert problems(found, node="node-1") == []
    return found


def function(tree: HostTree, address: str = CARD, product: str = "09c4", **more: str) -> str:
    directory = tree.pci_function(PciRow(address=address, vendor="8086", product=product, **more))
    return directory.relative_to(tree.root).as_posix()


def region(tree: HostTree, directory: str, number: int, **files: str) -> None:
    """What the upstream driver shows below a function: ``dfl-fme.0__bitstream_id="0x1"`` and the like."""
    name = f"{directory}/fpga_region/region{number}"
    tree.write(f"{name}/compat_id", "")
    for path, text in files.items():
        tree.write(f"{name}/{path.replace('__', '/').replace('_port', '-port').replace('_fme', '-fme')}", f"{text}\n")
    tree.link(f"sys/class/fpga_region/region{number}", name)


def engine(tree: HostTree, directory: str, *interfaces: str, number: int = 0, **more: str) -> None:
    region(tree, directory, number, **{"dfl_fme.0__bitstream_id": "0x1", **more})
    for index, interface in enumerate(interfaces):
        place = f"{directory}/fpga_region/region{number}/dfl-fme.0/dfl-fme-region.{index}/fpga_region/region{9 + index}"
        tree.write(f"{place}/compat_id", f"{interface}\n")
        tree.link(f"sys/class/fpga_region/region{9 + index}", place)


def port(tree: HostTree, directory: str, afu: str | None, *, number: int = 0, of: int = 0) -> None:
    place = f"{directory}/fpga_region/region{of}/dfl-port.{number}"
    tree.write(f"{place}/id", f"{number}\n")
    if afu is not None:
        tree.write(f"{place}/afu_id", f"{afu}\n")
    if not (tree.root / f"sys/class/fpga_region/region{of}").exists():
        tree.link(f"sys/class/fpga_region/region{of}", f"{directory}/fpga_region/region{of}")


def test_a_board_has_the_traits_that_openstack_has_for_it(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE.upper())
    port(tree, directory, AFU.upper())
    (device,) = look(tree)
    assert trait_names(device.deployables[0]) >= {
        "CUSTOM_FPGA_INTEL",
        "CUSTOM_FPGA_INTEL_PAC_ARRIA10",
        f"CUSTOM_FPGA_FUNCTION_ID_INTEL_{AFU.upper()}",
        f"CUSTOM_FPGA_REGION_INTEL_{INTERFACE.upper()}",
    }


def test_ids_are_told_in_lower_case_whatever_the_kernel_driver_writes(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE.upper())
    port(tree, directory, AFU.upper())
    part = look(tree)[0].deployables[1]
    assert (part.kind, part.num_accelerators) == (DeployableKind.REGION, 0)
    assert (facts(part)["interface_id"], facts(part)["afu_id"]) == (INTERFACE, AFU)
    assert facts(part)["device_node"] == "/dev/dfl-port.0"


def test_each_region_is_a_part_with_the_port_of_its_number(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE, INTERFACE[::-1])
    port(tree, directory, None, number=0)
    port(tree, directory, AFU, number=1)
    _, first, second = look(tree)[0].deployables
    assert [facts(part).get("afu_id") for part in (first, second)] == [None, AFU]
    assert facts(second)["interface_id"] == INTERFACE[::-1]


def test_virtual_functions_are_offered_with_the_functions_that_moved_to_them(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE)
    row = PciRow(address="0000:05:00.1", vendor="8086", product="09c5")
    virtual = tree.virtual_function(row, of=CARD).relative_to(tree.root).as_posix()
    port(tree, virtual, AFU, of=1)
    (device,) = look(tree)
    pools = [part for part in device.deployables if part.kind is DeployableKind.VF_POOL]
    assert [handed_out(pool) for pool in pools] == [["0000:05:00.1"]]
    assert f"CUSTOM_FPGA_FUNCTION_ID_INTEL_{AFU.upper()}" in trait_names(pools[0])
    assert f"CUSTOM_FPGA_REGION_INTEL_{INTERFACE.upper()}" in trait_names(pools[0])
    assert handed_out(device.deployables[0]) == []


def test_a_virtual_function_alone_in_a_guest_is_a_device_with_its_function(tree: HostTree) -> None:
    port(tree, function(tree, product="09c5"), AFU)
    (device,) = look(tree)
    assert (handed_out(device.deployables[0]), device.health) == ([CARD], Health.HEALTHY)
    assert f"CUSTOM_FPGA_FUNCTION_ID_INTEL_{AFU.upper()}" in trait_names(device.deployables[0])
    assert "not_read" not in device.std_board_info


def test_virtual_functions_in_one_slot_of_a_guest_are_devices_of_their_own(tree: HostTree) -> None:
    for number in range(2):
        port(tree, function(tree, f"0000:05:00.{number}", "bccf"), AFU, of=number)
    assert [str(device.address) for device in look(tree)] == ["0000:05:00.0", "0000:05:00.1"]


def test_the_other_functions_of_a_slot_are_the_board_s_wherever_its_engine_is(tree: HostTree) -> None:
    function(tree, "0000:05:00.0", "bcce")
    engine(tree, function(tree, "0000:05:00.1", "bcce"), INTERFACE)
    row = PciRow(address="0000:05:01.0", vendor="8086", product="bccf")
    tree.virtual_function(row, of="0000:05:00.0")
    (device,) = look(tree)
    assert str(device.address) == "0000:05:00.1"
    assert device.std_board_info["functions"] == "0000:05:00.1, 0000:05:00.0"
    assert handed_out(device.deployables[1]) == ["0000:05:01.0"]


def test_two_engines_in_one_slot_are_two_boards(tree: HostTree) -> None:
    for number in range(2):
        engine(tree, function(tree, f"0000:05:00.{number}", "bcce"), INTERFACE, number=number)
        (tree.root / "sys/class/fpga_region/region9").unlink()
    assert [str(device.address) for device in look(tree)] == ["0000:05:00.0", "0000:05:00.1"]


def test_a_board_without_its_kernel_driver_is_offered_and_tells_what_is_not_known(tree: HostTree) -> None:
    function(tree)
    (device,) = look(tree)
    assert handed_out(device.deployables[0]) == [CARD]
    assert device.std_board_info["not_read"].startswith("its regions and what is loaded")
    assert [part.kind for part in device.deployables] == [DeployableKind.CARD]


def test_directories_that_no_class_links_to_are_left_over_and_no_engine(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE)
    (tree.root / "sys/class/fpga_region/region0").unlink()
    assert "bitstream_id" not in look(tree)[0].std_board_info


@pytest.mark.parametrize("text", ["", "0" * 32, "xyz", "f64e", "\x00\x01"])
def test_what_is_no_id_is_left_out(tree: HostTree, text: str) -> None:
    directory = function(tree)
    engine(tree, directory, text)
    port(tree, directory, text)
    (device,) = look(tree)
    assert len(device.deployables) == 1
    assert not any("REGION" in name or "FUNCTION" in name for name in trait_names(device.deployables[0]))


def test_unreadable_attributes_leave_a_board_with_less(tree: HostTree) -> None:
    directory = function(tree)
    engine(tree, directory, INTERFACE)
    for name in ("bitstream_id", "bitstream_metadata", "errors/catfatal_errors"):
        tree.unreadable(f"{directory}/fpga_region/region0/dfl-fme.0/{name}")
    (device,) = look(tree)
    assert ("bitstream_id" in device.std_board_info, device.health) == (False, Health.HEALTHY)
